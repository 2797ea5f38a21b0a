// The limits that Linux's control groups put on a process's memory, as containers and batch systems
// set them.
#pragma once

#include <filesystem>

#include "kernels/memory.hpp"

namespace precis {

/// `space` of the machine, less where a control group of this process, or one above it, allows
/// less: its limit, and what is left of it once the page cache is dropped. Reads versions 1 and 2;
/// `groups` lists the process's groups, which lie under `mount`.
[[nodiscard]] Memory::Space within_control_groups(
    Memory::Space space, const std::filesystem::path& groups = "/proc/self/cgroup",
    const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace precis
