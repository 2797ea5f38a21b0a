// JSON Lines: strict reading with file and line in every message, writing under a final name.
#pragma once

#include "base/error.hpp"
#include "io/input_file.hpp"
#include "io/output_file.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// A row that cannot be used; with `skip_bad` it is counted instead of ending the command.
class BadRow : public Error {
 public:
  using Error::Error;
};

/// One object of a JSON Lines file.
struct JsonRow {
  nlohmann::json value;   // always an object
  std::string file;       // as the user named it
  std::int64_t line = 0;  // from 1

  /// "FILE:LINE", for messages.
  [[nodiscard]] std::string where() const;
  /// The field's text. Throws BadRow if it is missing or not a string.
  [[nodiscard]] const std::string& text(const char* field) const;
};

/// Parses JSON strictly: UTF-8, no lone surrogates, nesting of at most 1,000; the last of two equal
/// keys counts, and long ids keep their digits (see json_tree). Throws BadRow that begins with
/// `where`.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& where);

/// `object[field]` as text. `path` names the field in messages ("summaries[0].text"). Throws BadRow
/// if it is missing or not a string.
[[nodiscard]] const std::string& text_field(const nlohmann::json& object, const char* field,
                                            const std::string& where, std::string_view path = {});

/// `object[field]`; nullptr if it is missing or null, which are the same in data: libraries that
/// write tables fill every field that some row has.
[[nodiscard]] const nlohmann::json* find_field(const nlohmann::json& object, const char* field);

/// Calls `visit` for each row of the file in order. A line that is not UTF-8, not JSON or not an
/// object, a blank line before the last row, and a BadRow thrown by `visit` are errors with file
/// and line; so are a file that its first line shows to be of another format, and a pipe that gives
/// no row.
void for_each_row(const InputFile& input, const std::function<void(const JsonRow&)>& visit);
/// The same for commands with the key data.skip_bad, which errors name: if it is true, such rows
/// are skipped. Returns how many were.
std::int64_t for_each_row(const InputFile& input, bool skip_bad,
                          const std::function<void(const JsonRow&)>& visit);

/// Returns if such rows are skipped; else throws Error with what the user can do.
void skip_or_throw(const BadRow& bad, bool skip_bad);

/// The double that prints as the shortest decimal number that reads back as `value`: so an f32 is
/// written with few digits and stays the same to the bit.
[[nodiscard]] double shortest(float value);

/// An array of f32 numbers, each as `shortest`.
[[nodiscard]] nlohmann::ordered_json float_array(const std::vector<float>& values);

/// One line of JSON without its newline; keys in the order given. NaN and infinities, which JSON
/// does not have, become null. Throws Error if a string is not UTF-8.
[[nodiscard]] std::string to_line(const nlohmann::ordered_json& value);

/// Writes a JSON Lines file that appears when it is complete (see OutputFile).
class JsonlWriter {
 public:
  explicit JsonlWriter(std::filesystem::path path) : file_(std::move(path)) {}

  void write(const nlohmann::ordered_json& row) { file_.write_line(to_line(row)); }
  void commit() { file_.commit(); }

 private:
  OutputFile file_;
};

}  // namespace precis
