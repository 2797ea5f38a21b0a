// The error when memory runs out.
#pragma once

#include "base/error.hpp"

namespace precis {

/// Says what was asked for and for which use, what is held and free, and what to do.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(message) {}

  /// The same error with one more sentence, from a caller who knows what would fit.
  [[nodiscard]] OutOfMemory with(const std::string& sentence) const {
    return OutOfMemory(fmt::format("{} {}", what(), sentence));
  }
};

}  // namespace precis
