#include "io/jsonl.hpp"

#include "base/text.hpp"
#include "io/json_tree.hpp"
#include "io/row_file.hpp"
#include "io/text_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace precis {
namespace {

constexpr int deepest_nesting = 1000;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// The deepest nesting of arrays and objects. Brackets inside strings do not count.
int nesting(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

/// The library's message without its own prefix, without the text that it read last, which may be
/// very long, and without the line, which would be that of the row and not of the file.
std::string short_reason(std::string_view what) {
  what = what.substr(0, what.find("; last read:"));
  if (const auto at = what.find("] "); at != std::string_view::npos) {
    what.remove_prefix(at + 2);
  }
  if (constexpr std::string_view first_line = "parse error at line 1, ";
      what.starts_with(first_line)) {
    what.remove_prefix(first_line.size());
  }
  return std::string(what.substr(0, 160));
}

const char* kind_of(const nlohmann::json& value) { return value.type_name(); }

/// Calls `visit` for each row and `refuse` for each that is bad.
void read_lines(const InputFile& input, const std::function<void(const JsonRow&)>& visit,
                const std::function<void(const BadRow&)>& refuse) {
  LineReader reader(input);
  std::string line;
  std::int64_t first_blank = 0;  // of the blank lines just read; 0: none
  bool is_empty = true;
  while (reader.next(line)) {
    if (reader.line_number() == 1) {
      require_json_lines(line, input.name);
    }
    if (is_blank(line)) {
      first_blank = first_blank == 0 ? reader.line_number() : first_blank;
      continue;
    }
    // Blank lines at the end of the file are ignored; before a row they are an error.
    for (; first_blank != 0 && first_blank < reader.line_number(); ++first_blank) {
      refuse(BadRow(fmt::format("{}:{}: the line is blank; expected a JSON object.", input.name,
                                first_blank)));
    }
    first_blank = 0;
    is_empty = false;
    try {
      JsonRow row{.value = {}, .file = input.name, .line = reader.line_number()};
      row.value = parse_json(line, row.where());
      if (!row.value.is_object()) {
        throw BadRow(fmt::format("{}: a JSON object was expected, found {}.", row.where(),
                                 kind_of(row.value)));
      }
      visit(row);
    } catch (const BadRow& bad) {
      refuse(bad);
    }
  }
  // A file may be empty on purpose; behind a pipe it is a program that has failed.
  require(!is_empty || !is_stream(input),
          "{} holds no rows: the program that should have written them there has written nothing. "
          "Look at its messages.",
          input.name);
}

}  // namespace

std::string JsonRow::where() const { return fmt::format("{}:{}", file, line); }

const std::string& JsonRow::text(const char* field) const {
  return text_field(value, field, where());
}

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  if (const auto at = invalid_utf8_at(text)) {
    throw BadRow(fmt::format("{}: byte {} is not UTF-8.", where, *at + 1));
  }
  if (const int depth = nesting(text); depth > deepest_nesting) {
    throw BadRow(
        fmt::format("{}: nested {} deep, at most {} is read.", where, depth, deepest_nesting));
  }
  try {
    return json_tree(text);
  } catch (const std::invalid_argument& error) {
    throw BadRow(fmt::format("{}: not JSON: {}.", where, short_reason(error.what())));
  }
}

const nlohmann::json* find_field(const nlohmann::json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const std::string& text_field(const nlohmann::json& object, const char* field,
                              const std::string& where, std::string_view path) {
  const std::string_view name = path.empty() ? std::string_view(field) : path;
  const auto value = object.find(field);
  if (value == object.end()) {
    throw BadRow(fmt::format("{}: the field `{}` is missing.", where, name));
  }
  if (!value->is_string()) {
    throw BadRow(
        fmt::format("{}: the field `{}` is {}; expected text.", where, name, kind_of(*value)));
  }
  return value->get_ref<const std::string&>();
}

void for_each_row(const InputFile& input, const std::function<void(const JsonRow&)>& visit) {
  read_lines(input, visit, [](const BadRow& bad) { throw bad; });
}

std::int64_t for_each_row(const InputFile& input, bool skip_bad,
                          const std::function<void(const JsonRow&)>& visit) {
  std::int64_t skipped = 0;
  read_lines(input, visit, [&](const BadRow& bad) {
    skip_or_throw(bad, skip_bad);
    ++skipped;
  });
  return skipped;
}

void skip_or_throw(const BadRow& bad, bool skip_bad) {
  if (!skip_bad) {
    const bool several_lines = std::string_view(bad.what()).find('\n') != std::string_view::npos;
    fail("{}{}Correct the row, or skip and count such rows with data.skip_bad true.", bad.what(),
         several_lines ? "\n" : " ");
  }
}

double shortest(float value) {
  if (!std::isfinite(value)) {
    return value;
  }
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double result = 0;
  std::from_chars(text.data(), written.ptr, result);
  return static_cast<float>(result) == value ? result : static_cast<double>(value);
}

nlohmann::ordered_json float_array(const std::vector<float>& values) {
  auto array = nlohmann::ordered_json::array();
  for (const float value : values) {
    array.push_back(shortest(value));
  }
  return array;
}

std::string to_line(const nlohmann::ordered_json& value) {
  try {
    return value.dump();
  } catch (const nlohmann::json::exception& error) {
    fail("A row could not be written as JSON: {}.", short_reason(error.what()));
  }
}

}  // namespace precis
