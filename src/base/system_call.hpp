// Checks of system calls, whose message has the cause that errno gives.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/error.hpp"

namespace precis {

/// Throws Error with the formatted message and errno's text unless `succeeded`, which is the
/// outcome of the system call just made and may stand in the argument itself: errno is read when
/// all arguments are there. (In `require(call() == 0, "{}", with_errno(what))` it may be read
/// before the call.)
template <class... Args>
void require_system(bool succeeded, fmt::format_string<Args...> format, Args&&... args) {
  if (!succeeded) [[unlikely]] {
    const int cause = errno;  // formatting may change it
    const std::string what = fmt::format(format, std::forward<Args>(args)...);
    errno = cause;
    fail("{}", with_errno(what));
  }
}

}  // namespace precis
