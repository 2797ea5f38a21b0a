// Text files read whole or line by line, gzip as well.
#pragma once

#include "io/gzip.hpp"
#include "io/input_file.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// The bytes of a file, decompressed where they are gzip. A UTF-8 byte order mark is dropped.
/// Throws Error if it is missing, a folder, unreadable, or not whole as gzip (see GzipReader).
[[nodiscard]] std::string read_text_file(const InputFile& input);

/// Reads a text file line by line: decompresses gzip, drops a byte order mark, a final newline and
/// the carriage return of CRLF.
class LineReader {
 public:
  /// Throws as `read_text_file`.
  explicit LineReader(InputFile file);

  /// Reads the next line into `line`; false at the end. Throws Error on a read error.
  bool next(std::string& line);
  /// The number of the line read last, from 1.
  [[nodiscard]] std::int64_t line_number() const { return line_number_; }

 private:
  bool fill();

  InputFile input_;
  GzipReader file_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::size_t filled_ = 0;
  std::int64_t line_number_ = 0;
};

/// Whether the name is that of a file which the process has open: /dev/stdin, /dev/fd/63. Such a
/// name means another file in each process.
[[nodiscard]] bool names_open_file(std::string_view name);

/// The files that names and globs stand for: in the order given, the matches of a glob sorted by
/// name. Throws UsageError for an empty name, Error if a glob matches nothing or a name does not
/// exist; the name of an open file is taken as it is.
[[nodiscard]] std::vector<std::string> expand_files(const std::vector<std::string>& patterns);

}  // namespace precis
