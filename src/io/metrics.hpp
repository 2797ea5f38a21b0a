// Rows of JSON appended to a file as a run goes: metrics.jsonl, samples.jsonl, episodes.jsonl.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace precis {

/// One row; keys keep the order in which they were set. NaN and infinity are written as null.
using Row = nlohmann::ordered_json;

/// Appends rows to a file, each with one write, so that a row is either whole or the torn last
/// line.
class RowFile {
 public:
  /// Opens for appending, creates if absent. Throws Error.
  explicit RowFile(std::filesystem::path path);
  ~RowFile();
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;
  RowFile(RowFile&& other) noexcept;
  RowFile& operator=(RowFile&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Throws Error, for example on a full disk.
  void append(const Row& row);
  /// Waits until the rows are on the disk. Throws Error.
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace precis
