// Whether a destructor runs because an exception is on its way, when it must not wait for other
// ranks.
#pragma once

#include <exception>

namespace precis {

/// A member of classes whose destructor would wait for other ranks. A rank that fails alone prints
/// its message only when it has unwound, and the others may never come to where it would wait.
class Unwinding {
 public:
  /// Whether an exception is on its way now that was not when the object was made.
  [[nodiscard]] bool now() const noexcept { return std::uncaught_exceptions() > exceptions_; }

 private:
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace precis
