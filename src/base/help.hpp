// The text of `precis COMMAND --help`, from the option table.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/options.hpp"

namespace precis {

/// Columns for help: what COLUMNS says, else the width of the terminal at stdout, or at stderr
/// where stdout goes into a pager, else 80; from 40 to 120.
[[nodiscard]] std::size_t help_width();

/// Every key with type, default, unit, meaning and source of the default, in lines of at most
/// `width` columns: a table if there is room for one, else each key above its meaning. `command` is
/// the command's name, `summary` its one-line description.
[[nodiscard]] std::string command_help(const std::string& command, const std::string& summary,
                                       const OptionTable& table, std::size_t width);

/// "  name  summary" for each pair, the summaries below each other, in lines of at most `width`
/// columns.
[[nodiscard]] std::string listed_help(
    std::span<const std::pair<std::string, std::string>> summaries, std::size_t width);

/// The text in lines of at most `width` characters, broken at blanks; a longer word is cut.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace precis
