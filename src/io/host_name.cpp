#include "io/host_name.hpp"

#include <unistd.h>

#include <array>

#include "base/system_call.hpp"

namespace precis {

std::string host_name() {
  std::array<char, 256> name{};
  require_system(::gethostname(name.data(), name.size() - 1) == 0, "cannot read the host's name");
  return name.data();
}

}  // namespace precis
