#include "base/help.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "base/text.hpp"

namespace precis {
namespace {

constexpr std::size_t page_width = 100;
constexpr std::size_t column_gap = 2;

/// The cells of one row, printed side by side.
using Row = std::array<std::string, 5>;

/// The widths of all columns but the last, which takes what the page leaves.
std::array<std::size_t, 5> column_widths(std::span<const Row> rows) {
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

}  // namespace

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

std::string command_help(const std::string& command, const std::string& summary,
                         const OptionTable& table) {
  const std::string positional =
      table.positional().empty() ? "[DECK.cfg]" : upper_case(table.positional());
  const Option* named = table.find(table.positional());
  const bool several = named != nullptr && named->type == "list";
  std::string text = fmt::format("precis {} {} [--key VALUE | --key=VALUE ...]\n\n{}\n", command,
                                 several ? positional + " ..." : positional, sentence(summary));
  if (table.options().empty()) {
    return text;
  }
  std::vector<Row> rows{{"key", "type", "default", "unit", "meaning [source of the default]"}};
  for (const Option& option : table.options()) {
    rows.push_back(
        {"--" + option.key, option.type, default_of(option), option.info.unit, meaning_of(option)});
  }
  const auto widths = column_widths(rows);
  text += '\n';
  for (const Row& row : rows) {
    text += printed(row, widths);
  }
  if (table.positional().empty()) {
    text +=
        "\nA deck holds the same keys as lines `key = value` under a line `[section]`; the command "
        "line\nwins. In a deck a value that begins or ends with a blank, or holds a blank and #, "
        "stands in double\nquotes. A boolean may stand alone for true.\n";
  }
  return text;
}

}  // namespace precis
