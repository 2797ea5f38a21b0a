#include "base/error.hpp"

#include <cerrno>
#include <new>
#include <system_error>

namespace precis {

Failure failure_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return {error.what(), error.status()};
  } catch (const std::bad_alloc&) {
    return {"The memory is used up: an allocation failed. Give smaller batches or more memory."};
  } catch (const std::exception& error) {
    return {error.what()};
  } catch (...) {
    return {"Something was thrown that is not an error with a message."};
  }
}

std::string with_errno(const std::string& what) {
  const char* const more =
      errno == EFBIG ? " (the limit of a file's size: `ulimit -f` shows it)" : "";
  return errno == 0 ? what + "."
                    : what + ": " + std::generic_category().message(errno) + more + ".";
}

}  // namespace precis
