#include "base/help.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/text.hpp"

namespace precis {
namespace {

/// Below it the table's last column would be too narrow to read.
constexpr std::size_t least_table_width = 100;
constexpr std::size_t column_gap = 2;
constexpr std::size_t key_list_indent = 4;
/// A summary beside its name has at least so many columns; in fewer it stands below.
constexpr std::size_t least_beside = 30;

/// The cells of one row, printed side by side.
using Row = std::array<std::string, 5>;

/// The widths of all columns but the last, which takes what the page leaves.
std::array<std::size_t, 5> column_widths(std::span<const Row> rows, std::size_t page_width) {
  // A default may be a long path; it wraps rather than push the meaning to the margin.
  constexpr std::array<std::size_t, 4> limits{34, 9, 14, 12};
  std::array<std::size_t, 5> widths{};
  std::size_t used = 0;
  for (std::size_t column = 0; column < limits.size(); ++column) {
    for (const Row& row : rows) {
      widths[column] = std::max(widths[column], std::min(row[column].size(), limits[column]));
    }
    used += widths[column] + column_gap;
  }
  widths.back() = page_width - used;
  return widths;
}

std::string printed(const Row& row, const std::array<std::size_t, 5>& widths) {
  std::array<std::vector<std::string>, 5> cells;
  std::size_t height = 0;
  for (std::size_t column = 0; column < row.size(); ++column) {
    cells[column] = wrapped(row[column], widths[column]);
    height = std::max(height, cells[column].size());
  }
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    std::string printed_line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string cell = line < cells[column].size() ? cells[column][line] : std::string{};
      printed_line += fmt::format("{:<{}}", cell, widths[column] + column_gap);
    }
    printed_line.erase(printed_line.find_last_not_of(' ') + 1);
    text += printed_line + '\n';
  }
  return text;
}

std::string default_of(const Option& option) {
  if (option.info.required) {
    return "required";
  }
  if (!option.info.default_text.empty()) {
    return option.info.default_text;
  }
  const std::string value = option.text();
  return value.empty() ? "none" : value;
}

std::string meaning_of(const Option& option) {
  std::string text = option.info.meaning;
  if (!option.info.choices.empty()) {
    text += ": " + joined(option.info.choices, ", ");
  }
  if (!option.info.source.empty()) {
    text += fmt::format(" [{}]", option.info.source);
  }
  return text;
}

char upper_case(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return upper_case(c); });
  return text;
}

std::string sentence(std::string text) {
  if (!text.empty()) {
    text.front() = upper_case(text.front());
  }
  return text + ".";
}

std::optional<std::size_t> columns_by_environment() {
  const char* text = std::getenv("COLUMNS");
  const std::string_view digits = text == nullptr ? "" : text;
  std::size_t columns = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), columns);
  const bool number = error == std::errc{} && end == digits.data() + digits.size() && columns > 0;
  return number ? std::optional{columns} : std::nullopt;
}

/// Lines of at most `width` columns; all but the first begin with `indent` blanks, the first with
/// `first_indent`.
std::string paragraph(std::string_view words, std::size_t width, std::size_t indent = 0,
                      std::size_t first_indent = 0) {
  std::string text;
  for (const std::string& line : wrapped(words, width - indent)) {
    text += std::string(text.empty() ? first_indent : indent, ' ') + line + '\n';
  }
  return text;
}

std::string key_table(const OptionTable& table, std::size_t width) {
  std::vector<Row> rows{{"key", "type", "default", "unit", "meaning [source of the default]"}};
  for (const Option& option : table.options()) {
    rows.push_back(
        {"--" + option.key, option.type, default_of(option), option.info.unit, meaning_of(option)});
  }
  const auto widths = column_widths(rows, width);
  std::string text;
  for (const Row& row : rows) {
    text += printed(row, widths);
  }
  return text;
}

/// Each key with its type, unit and default, and below it the meaning.
std::string key_list(const OptionTable& table, std::size_t width) {
  std::string text;
  for (const Option& option : table.options()) {
    const std::string unit = option.info.unit.empty() ? "" : ", in " + option.info.unit;
    const std::string value = default_of(option);
    text += paragraph(fmt::format("--{} ({}{}, {})", option.key, option.type, unit,
                                  option.info.required ? value : "default " + value),
                      width, key_list_indent);
    text += paragraph(meaning_of(option), width, key_list_indent, key_list_indent);
  }
  return text;
}

}  // namespace

std::size_t help_width() {
  constexpr std::size_t least = 40;
  constexpr std::size_t most = 120;
  constexpr std::size_t unknown = 80;
  std::optional<std::size_t> width = columns_by_environment();
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (!width && ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      width = size.ws_col;
    }
  }
  return std::clamp(width.value_or(unknown), least, most);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  for (std::string word : split(text, ' ')) {
    if (!word.empty() && !lines.empty() && lines.back().size() + 1 + word.size() <= width) {
      lines.back() += ' ' + word;
      continue;
    }
    while (word.size() > width) {
      lines.push_back(word.substr(0, width));
      word.erase(0, width);
    }
    if (!word.empty()) {
      lines.push_back(std::move(word));
    }
  }
  return lines;
}

std::string listed_help(std::span<const std::pair<std::string, std::string>> summaries,
                        std::size_t width) {
  std::size_t longest = 0;
  for (const auto& [name, summary] : summaries) {
    longest = std::max(longest, name.size());
  }
  const std::size_t indent = 2 + longest + column_gap;
  std::string text;
  for (const auto& [name, summary] : summaries) {
    const bool beside = width >= indent + least_beside;
    text += beside ? fmt::format("  {:<{}}", name, longest) : fmt::format("  {}\n", name);
    text += paragraph(summary, width, beside ? indent : 4, beside ? column_gap : 4);
  }
  return text;
}

std::string command_help(const std::string& command, const std::string& summary,
                         const OptionTable& table, std::size_t width) {
  const std::string positional =
      table.positional().empty() ? "[DECK.cfg]" : upper_case(table.positional());
  const Option* named = table.find(table.positional());
  const bool several = named != nullptr && named->type == "list";
  std::string text = paragraph(fmt::format("precis {} {} [--key VALUE | --key=VALUE ...]", command,
                                           several ? positional + " ..." : positional),
                               width) +
                     '\n' + paragraph(sentence(summary), width);
  if (table.options().empty()) {
    return text;
  }
  text += '\n' + (width >= least_table_width ? key_table(table, width) : key_list(table, width));
  if (table.positional().empty()) {
    text += '\n' +
            paragraph(
                "A deck holds the same keys as lines `key = value` under a line `[section]`; the "
                "command line wins. In a deck a value that begins or ends with a blank, or holds a "
                "blank and #, stands in double quotes. A boolean may stand alone for true.",
                width);
  }
  return text;
}

}  // namespace precis
