// Errors that end a command, with the exit status and the one message a user sees.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace precis {

/// What the program returns to the shell (CONTRACT: exit status).
enum class ExitStatus : int {
  done = 0,
  failed = 1,
  usage = 2,
  stopped_early = 75,
};

/// A failure with its one message: what was found, what was expected, where, and what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitStatus status = ExitStatus::failed)
      : std::runtime_error(message), status_(status) {}
  [[nodiscard]] ExitStatus status() const noexcept { return status_; }

 private:
  ExitStatus status_;
};

/// A mistake in the command line, a key, a value, a deck or a grid: exit status 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, ExitStatus::usage) {}
};

/// What an exception comes to for the user: its one message and the exit status.
struct Failure {
  std::string message;
  ExitStatus status = ExitStatus::failed;
};
/// Of any exception; one that is not an Error has status 1.
[[nodiscard]] Failure failure_of(const std::exception_ptr& exception);

/// Throws Error (exit status 1) with the formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws UsageError (exit status 2) with the formatted message.
template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws Error unless `condition` holds: for inputs and external calls (`assert` is for invariants
/// in hot paths). The message is formatted only on failure.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]] {
    fail(format, std::forward<Args>(args)...);
  }
}

/// "what: No such file or directory", from the calling thread's errno.
[[nodiscard]] std::string with_errno(const std::string& what);

}  // namespace precis
