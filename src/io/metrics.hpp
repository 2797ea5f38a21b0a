// Rows of JSON appended to a file as a run goes: metrics.jsonl, samples.jsonl, episodes.jsonl.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace precis {

/// One row; keys keep the order in which they were set. NaN and infinity are written as null.
using Row = nlohmann::ordered_json;

/// Appends to a file, each piece with one write, so that only the last one can be torn.
class AppendFile {
 public:
  /// Opens for appending, creates if absent. Throws Error.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Throws Error, for example on a full disk.
  void append(std::string_view bytes);
  /// Waits until what was appended is on the disk. Throws Error.
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Appends rows to a file.
class RowFile {
 public:
  /// As AppendFile.
  explicit RowFile(std::filesystem::path path) : file_(std::move(path)) {}

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }
  /// Throws Error, for example on a full disk.
  void append(const Row& row);
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

}  // namespace precis
