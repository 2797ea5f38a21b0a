// The name of the machine, for files that say where they were written.
#pragma once

#include <string>

namespace precis {

/// The name that `hostname` prints. Throws Error.
[[nodiscard]] std::string host_name();

}  // namespace precis
