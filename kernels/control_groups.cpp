#include "kernels/control_groups.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace precis {
namespace {

namespace fs = std::filesystem;

/// What the files are called that a version of control groups keeps in a group's folder.
struct FileNames {
  const char* limit;
  const char* soft_limit;  ///< beyond it the group is slowed down; version 1 has nothing like it
  const char* used;
  const char* cache;  ///< in memory.stat, of the group and those below it
};
constexpr FileNames version_1{"memory.limit_in_bytes", nullptr, "memory.usage_in_bytes",
                              "total_inactive_file"};
constexpr FileNames version_2{"memory.max", "memory.high", "memory.current", "inactive_file"};

/// Nothing where there is no such file, or no number in it ("max": no limit).
std::optional<std::int64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::int64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

std::int64_t cache_in(const fs::path& file, const std::string& name) {
  std::ifstream stream(file);
  std::string key;
  for (std::int64_t number = 0; stream >> key >> number;) {
    if (key == name) {
      return number;
    }
  }
  return 0;
}

/// The limits of the group at `path` under `top`, and of all above it. In a container the path may
/// be the machine's, which is not there: then those that are count.
Memory::Space within(Memory::Space space, const FileNames& names, const fs::path& top,
                     const fs::path& path) {
  for (fs::path group = path.lexically_normal();; group = group.parent_path()) {
    const fs::path folder = top / group.relative_path();
    auto limit = number_in(folder / names.limit);
    if (names.soft_limit != nullptr) {
      const auto soft_limit = number_in(folder / names.soft_limit);
      limit = limit && soft_limit ? std::min(limit, soft_limit) : limit ? limit : soft_limit;
    }
    const auto used = number_in(folder / names.used);
    if (limit && used) {
      // The two files are read at different times.
      const auto kept =
          std::max<std::int64_t>(0, *used - cache_in(folder / "memory.stat", names.cache));
      space.total = std::min(space.total, *limit);
      space.free = std::clamp<std::int64_t>(*limit - kept, 0, space.free);
    }
    if (!group.has_relative_path()) {
      return space;
    }
  }
}

}  // namespace

Memory::Space within_control_groups(Memory::Space space, const fs::path& groups,
                                    const fs::path& mount) {
  std::ifstream lines(groups);
  // Version 2 has one line, 0::PATH; version 1 a line N:CONTROLLERS:PATH for each hierarchy.
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number;
    std::string controllers;
    std::string path;
    std::getline(fields, number, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, path);
    if (controllers.empty()) {
      space = within(space, version_2, mount, path);
    } else if ((',' + controllers + ',').find(",memory,") != std::string::npos) {
      space = within(space, version_1, mount / "memory", path);
    }
  }
  return space;
}

}  // namespace precis
