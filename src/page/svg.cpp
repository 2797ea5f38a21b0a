#include "page/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "page/html.hpp"

namespace precis {
namespace {

/// In parts of the font's size: digits and letters are narrower than the characters of East Asia.
double width_of(unsigned char first_byte) {
  return first_byte < 0x80 ? 0.56 : first_byte < 0xc0 ? 0 : first_byte < 0xe0 ? 0.6 : 1;
}

const char* class_of(Key::Mark mark) {
  switch (mark) {
    case Key::Mark::dotted:
      return " dotted";
    case Key::Mark::pale:
      return " pale";
    case Key::Mark::dashed:
      return " dashed";
    case Key::Mark::interval:
      return " interval";
    case Key::Mark::line:
      break;
  }
  return "";
}

}  // namespace

std::string position(double value) {
  // Adding zero turns -0 into 0.
  return fmt::format("{}", std::round(value * 100) / 100 + 0.0);
}

std::string svg_text(double x, double y, Anchor anchor, std::string_view text,
                     std::string_view classes) {
  const char* where = anchor == Anchor::start    ? ""
                      : anchor == Anchor::middle ? " text-anchor=\"middle\""
                                                 : " text-anchor=\"end\"";
  return fmt::format("<text x=\"{}\" y=\"{}\"{}{}>{}</text>\n", position(x), position(y), where,
                     classes.empty() ? "" : fmt::format(" class=\"{}\"", classes), escaped(text));
}

double text_width(std::string_view text) {
  return font_size * std::accumulate(text.begin(), text.end(), 0.0, [](double sum, char c) {
           return sum + width_of(static_cast<unsigned char>(c));
         });
}

std::string fitted(std::string_view text, double width) {
  if (text_width(text) <= width) {
    return std::string(text);
  }
  double used = font_size;  // of the ellipsis
  std::size_t end = 0;
  while (end < text.size()) {
    const double next = font_size * width_of(static_cast<unsigned char>(text[end]));
    if (next > 0 && used + next > width) {
      break;
    }
    used += next;
    ++end;
  }
  return std::string(text.substr(0, end)) + "\xe2\x80\xa6";
}

std::string colour_class(int index) { return fmt::format("k{}", index % colours); }

std::string legend(const std::vector<Key>& keys) {
  std::string html;
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (std::find(keys.begin(), key, *key) == key) {
      html += fmt::format("<span class=\"key{}{}\">{}</span>",
                          key->colour < 0 ? "" : " " + colour_class(key->colour),
                          class_of(key->mark), escaped(key->name));
    }
  }
  return html.empty() ? "" : "<div class=\"keys\">" + html + "</div>\n";
}

std::string figure(std::string_view title, double width, double height, std::string_view content,
                   std::string_view below, bool wide) {
  const std::string name = escaped(title);
  const std::string svg =
      fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
                  position(width), position(height), name, content);
  return fmt::format("<figure{}>\n<figcaption dir=\"auto\">{}</figcaption>\n{}{}</figure>\n",
                     wide ? " class=\"wide\"" : "", name, wide ? scrolling(svg, title) : svg,
                     below);
}

}  // namespace precis
