// Files of rows: which files a list of names means, and what they must be.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.hpp"

namespace precis {

/// Whether a program fills the input while it is read: a pipe, or what rank 0 has handed on under
/// the name of an open file.
[[nodiscard]] bool is_stream(const InputFile& input);

/// As expand_files(patterns), but a name that `is_known` is taken as it is.
[[nodiscard]] std::vector<std::string> expand_files(
    const std::vector<std::string>& patterns,
    const std::function<bool(const std::string&)>& is_known);

/// Throws Error if the first line shows that the file is a Parquet file, one JSON array, JSON whose
/// objects go over several lines, or (by its name as well) a table of separated values. The message
/// has a command that makes JSON Lines of it.
void require_json_lines(std::string_view first_line, const std::string& name);

/// Throws Error unless there are rows, for commands that can do nothing with an empty file.
void require_rows(std::int64_t rows, const std::string& files);

}  // namespace precis
