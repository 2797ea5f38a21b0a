#include "base/list_text.hpp"

#include <cstddef>

#include "base/text.hpp"

namespace precis {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::vector<std::string> list_items(std::string_view text) {
  std::vector<std::string> items;
  if (trimmed(text).empty()) {
    return items;
  }
  std::string item;
  std::size_t kept = 0;  // of the item, without the blanks that may be its end
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == ',' || next == '\\' || is_blank(next))) {
      item += next;
      kept = item.size();
      ++i;
    } else if (text[i] == ',') {
      items.push_back(item.substr(0, kept));
      item.clear();
      kept = 0;
    } else if (!is_blank(text[i])) {
      item += text[i];
      kept = item.size();
    } else if (!item.empty()) {
      item += text[i];
    }
  }
  items.push_back(item.substr(0, kept));
  return items;
}

std::string list_text(std::span<const std::string> items) {
  std::string text;
  for (const std::string& item : items) {
    text += &item == items.data() ? "" : ",";
    for (std::size_t i = 0; i < item.size(); ++i) {
      const bool at_edge = i == 0 || i + 1 == item.size();
      if (item[i] == ',' || item[i] == '\\' || (at_edge && is_blank(item[i]))) {
        text += '\\';
      }
      text += item[i];
    }
  }
  return text;
}

}  // namespace precis
