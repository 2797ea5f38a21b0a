// Lists as one text with commas between their items, as decks and the command line have them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// The items between commas, without blanks around them; none of a blank text. A backslash before a
/// comma, a blank or another backslash makes that a part of the item; any other backslash is one
/// itself.
[[nodiscard]] std::vector<std::string> list_items(std::string_view text);

/// The text of which `list_items` makes these items.
[[nodiscard]] std::string list_text(std::span<const std::string> items);

}  // namespace precis
