// The name of the machine, for files that say where they were written.
#pragma once

#include <string>

namespace precis {

/// As `hostname` prints it. Throws Error.
[[nodiscard]] std::string host_name();

}  // namespace precis
