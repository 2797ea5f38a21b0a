#include "io/host_name.hpp"

#include <unistd.h>

#include <array>

#include "base/error.hpp"

namespace precis {

std::string host_name() {
  std::array<char, 256> name{};
  require(::gethostname(name.data(), name.size() - 1) == 0, "{}",
          with_errno("cannot read the host's name"));
  return name.data();
}

}  // namespace precis
