// The error of memory that could not be had.
#pragma once

#include "base/error.hpp"

namespace precis {

/// Says what was asked for and by whom, what is held and free, and what to do.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(message) {}

  /// With one more sentence of somebody who knows what would fit.
  [[nodiscard]] OutOfMemory with(const std::string& sentence) const {
    return OutOfMemory(fmt::format("{} {}", what(), sentence));
  }
};

}  // namespace precis
