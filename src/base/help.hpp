// The text of `precis COMMAND --help`, from the option table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/options.hpp"

namespace precis {

/// Every key with type, default, unit, meaning and source of the default, 100 columns wide.
/// `command` is the command's name, `summary` its one-line description.
[[nodiscard]] std::string command_help(const std::string& command, const std::string& summary,
                                       const OptionTable& table);

/// The text in lines of at most `width` characters, broken at blanks; a longer word is cut.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace precis
