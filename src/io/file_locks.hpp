// File locks as file systems really have them: none, of one host, or of all hosts.
#pragma once

#include <filesystem>
#include <istream>
#include <optional>
#include <string>

namespace precis {

enum class FileLock { taken, held_by_another, none_here };

/// Tries to lock the whole of an open file (flock). `none_here`: the file system has no locks, and
/// errno says in which of the ways that are known (ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL, and 524,
/// ENOTSUPP, which network file systems let through from the kernel). Throws Error, naming `file`,
/// for any other trouble.
[[nodiscard]] FileLock try_lock(int descriptor, const std::filesystem::path& file);

/// The file system of an absolute path as it is mounted, with the option by which its locks are of
/// one host only ("nfs, local_lock=all"); nothing where none is known. `mounts` is in the form of
/// /proc/self/mountinfo (proc(5)).
[[nodiscard]] std::optional<std::string> locks_of_one_host(std::istream& mounts,
                                                           const std::filesystem::path& path);

}  // namespace precis
