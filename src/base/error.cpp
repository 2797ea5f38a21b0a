#include "base/error.hpp"

#include <cerrno>
#include <system_error>

namespace precis {

std::string with_errno(const std::string& what) {
  return what + ": " + std::generic_category().message(errno) + ".";
}

}  // namespace precis
