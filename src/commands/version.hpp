// What `precis --version` says.
#pragma once

#include <string>

namespace precis {

/// Version, commit, compiler, libraries with the versions in use, instruction set, CUDA or not; one
/// a line.
[[nodiscard]] std::string version_text();
/// Version, commit and compiler, in one line: what tells two builds apart.
[[nodiscard]] std::string build_text();

}  // namespace precis
