// Folders for output: one that appears under its name only when it is complete, and ones that are
// removed again if nothing was written.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/partial_output.hpp"

namespace precis {

/// Creates a folder and those above it; those that are still empty at destruction are removed.
class NewFolders {
 public:
  /// Throws Error if it cannot be created, or a file has its name.
  explicit NewFolders(const std::filesystem::path& folder);
  ~NewFolders();
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;

  /// Whether there was something to create.
  [[nodiscard]] bool any() const noexcept { return !made_.empty(); }

 private:
  NewFolders() = default;

  std::vector<std::filesystem::path> made_;  // the innermost first
};

/// Files are written into DIR.partial; commit() renames it to DIR. Destroyed without commit, it
/// removes DIR.partial, and what DIR held before stays.
class OutputFolder {
 public:
  /// Makes DIR.partial, empty. A DIR that exists may hold nothing but files of these names, which
  /// the new folder will replace. Throws Error otherwise, if DIR is a file, or if the folder above
  /// cannot be written.
  OutputFolder(const std::filesystem::path& path, const std::vector<std::string>& replaceable);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Where the files go until commit().
  [[nodiscard]] const std::filesystem::path& partial_path() const noexcept { return partial_; }

  /// Renames. Throws Error.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::optional<PartialOutput> unfinished_;  // nothing: committed
};

}  // namespace precis
