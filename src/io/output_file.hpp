// A file that appears under its name only when it is complete.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "io/partial_output.hpp"

namespace precis {

/// Writes NAME.partial; commit() syncs it and renames it to NAME. Destroyed without commit, it
/// removes NAME.partial, and what NAME held before stays. A NAME that is a pipe, a character device
/// or an open file (for example /dev/stdout) is written as it is. A program that a signal ends
/// removes NAME.partial too (`PartialOutput`). Text written to a NAME that ends in .gz is
/// compressed by gzip. For one thread only.
class OutputFile {
 public:
  /// Checks that NAME.partial can be made, but creates it only with the first write: a command that
  /// is killed while it computes leaves nothing. Throws Error if NAME is a folder, its folder does
  /// not exist or cannot be written.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  /// The final name.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Where the content goes until commit(); libraries that write by name (HDF5) write there.
  [[nodiscard]] const std::filesystem::path& partial_path() const noexcept { return partial_; }

  /// Appends (buffered). Throws Error, for example on a full disk.
  void write(std::string_view text);
  /// Appends text and a newline.
  void write_line(std::string_view text);

  /// Flushes, syncs file and folder to disk and renames. Throws Error.
  void commit();

 private:
  void open(int how);
  void write_through(std::string_view text);

  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::unique_ptr<PartialOutput> unfinished_;  // null: done, or written as it is
  std::string buffer_;
  int descriptor_ = -1;
  bool renames_ = true;
  bool gzip_ = false;
};

/// Writes a whole file through OutputFile.
void write_file(const std::filesystem::path& path, std::string_view content);

/// The whole content of a file. Throws Error if it is missing, a folder, or cannot be read.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Throws Error, saying what was found, unless `path` is an existing file that can be opened for
/// reading. `what` names its kind in the message ("model file", "checkpoint").
void require_readable_file(const std::filesystem::path& path, std::string_view what);

}  // namespace precis
