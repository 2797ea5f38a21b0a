#include "io/file_locks.hpp"

#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/system_call.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

/// An error of the kernel, not of POSIX: it should not reach programs, but does (Cray's DVS).
constexpr int kernel_enotsupp = 524;

struct LocalLocks {
  std::string_view type;    // how the file system's type begins
  std::string_view option;  // empty: always
};
constexpr std::array<LocalLocks, 6> known{{{"nfs", "local_lock=all"},
                                           {"nfs", "local_lock=flock"},
                                           {"nfs", "nolock"},
                                           {"lustre", "localflock"},
                                           {"cifs", "nobrl"},
                                           {"fuse.sshfs", ""}}};

struct Mount {
  fs::path point;
  std::string type;
  std::vector<std::string> options;
};

/// "\040" etc. as the kernel writes blanks in names.
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view code = text.substr(i + 1, 3);
    const bool octal = text[i] == '\\' && code.size() == 3 &&
                       std::all_of(code.begin(), code.end(),
                                   [](char digit) { return digit >= '0' && digit <= '7'; });
    out += octal ? static_cast<char>((code[0] - '0') * 64 + (code[1] - '0') * 8 + code[2] - '0')
                 : text[i];
    i += octal ? 3 : 0;
  }
  return out;
}

/// "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue".
Mount parse_mount(const std::string& line) {
  Mount mount;
  std::istringstream words(line);
  std::string skipped;
  std::string point;
  std::string options;
  words >> skipped >> skipped >> skipped >> skipped >> point >> options;
  while (words >> skipped && skipped != "-") {
  }
  std::string more;
  words >> mount.type >> skipped >> more;
  mount.point = without_escapes(point);
  mount.options = split(options + "," + more, ',');
  return mount;
}

bool is_within(const fs::path& path, const fs::path& folder) {
  const auto [inner, outer] = std::mismatch(path.begin(), path.end(), folder.begin(), folder.end());
  return outer == folder.end() || (*outer).empty();
}

}  // namespace

FileLock try_lock(int descriptor, const fs::path& file) {
  int result = 0;
  do {
    result = ::flock(descriptor, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    return FileLock::taken;
  }
  if (errno == EWOULDBLOCK) {
    return FileLock::held_by_another;
  }
  constexpr std::array<int, 5> no_locks{ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL, kernel_enotsupp};
  require_system(std::find(no_locks.begin(), no_locks.end(), errno) != no_locks.end(),
                 "cannot lock {}", file.string());
  return FileLock::none_here;
}

std::optional<std::string> locks_of_one_host(std::istream& mounts, const fs::path& path) {
  Mount found;
  for (std::string line; std::getline(mounts, line);) {
    Mount mount = parse_mount(line);
    // Of several file systems mounted at one place, the last is visible.
    if (is_within(path, mount.point) &&
        mount.point.native().size() >= found.point.native().size()) {
      found = std::move(mount);
    }
  }
  for (const LocalLocks& locks : known) {
    const bool has_option =
        locks.option.empty() ||
        std::find(found.options.begin(), found.options.end(), locks.option) != found.options.end();
    if (found.type.starts_with(locks.type) && has_option) {
      return locks.option.empty() ? found.type : fmt::format("{}, {}", found.type, locks.option);
    }
  }
  return std::nullopt;
}

}  // namespace precis
