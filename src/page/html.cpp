#include "page/html.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cstddef>
#include <cstdint>

#include "base/text.hpp"
#include "page/style.hpp"

namespace precis {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

/// The length of the character that begins valid UTF-8.
std::size_t length_of(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) {
    return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
  }
  const auto second = static_cast<unsigned char>(character[1]);
  // U+0080 to U+009F, and U+FFFE and U+FFFF, which are no characters.
  return (first == 0xc2 && second < 0xa0) ||
         (first == 0xef && second == 0xbf && static_cast<unsigned char>(character[2]) >= 0xbe);
}

std::string_view written(std::string_view character) {
  switch (character[0]) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return is_control(character) ? replacement : character;
  }
}

/// Appends the characters of valid UTF-8 while `left` lasts. Returns whether all were.
bool append(std::string_view valid, std::size_t& left, std::string& out) {
  while (!valid.empty()) {
    if (left == 0) {
      return false;
    }
    --left;
    const std::size_t length = length_of(valid[0]);
    out += written(valid.substr(0, length));
    valid.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string escaped(std::string_view text) { return escaped_start(text, text.size()); }

std::string escaped_start(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t left = most;
  for (;;) {
    // Not farther than can be shown: a text may be long and full of bytes that are not UTF-8.
    const auto bad = invalid_utf8_at(text);
    if (!append(text.substr(0, bad.value_or(text.size())), left, out)) {
      break;
    }
    if (!bad) {
      return out;
    }
    if (left == 0) {
      break;
    }
    --left;
    out += replacement;
    text.remove_prefix(*bad + 1);
  }
  return out + "\xe2\x80\xa6";  // an ellipsis
}

std::string escaped_path(std::string_view text) {
  const std::string whole = escaped(text);
  std::string html;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const char c = whole[i];
    const auto next = static_cast<unsigned char>(i + 1 < whole.size() ? whole[i + 1] : ' ');
    const bool goes_on = std::isalpha(next) != 0 || next == '/';
    html += c == '.' && goes_on ? "<wbr>" : "";
    html += c;
    html += c == '/' || ((c == '_' || c == ',') && goes_on) ? "<wbr>" : "";
  }
  return html;
}

std::string scrolling(std::string_view content, std::string_view name) {
  return fmt::format(
      "<div class=\"box\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"{}\">{}</div></div>\n",
      escaped(name), content);
}

std::string to_html(const Page& page) {
  const std::string title = escaped(page.title);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1 dir=\"auto\">{}</h1>\n"
      "{}</main>\n</body>\n</html>\n",
      title, style_sheet(), title, page.body);
}

}  // namespace precis
