#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

constexpr double cell_width = 64;
constexpr double cell_height = 36;

/// How much of its colour a cell has, and which.
struct Colouring {
  double strength = 0;
  int colour = 0;
};

Colouring colouring(const HeatMap& map, double value) {
  if (!std::isfinite(value)) {
    return {};
  }
  const double from = map.middle.value_or(map.low);
  const bool below = map.middle && value < *map.middle;
  const double to = below ? map.low : map.high;
  const double strength = to == from ? 1 : std::clamp((value - from) / (to - from), 0.0, 1.0);
  return {strength, below ? 1 : 0};
}

std::string cell(const HeatMap& map, std::size_t row, std::size_t column, double x, double y) {
  const HeatMap::Cell& c = map.cells[row][column];
  const Colouring colour = c.value ? colouring(map, *c.value) : Colouring{};
  const bool inverse = colour.strength > 0.75;
  std::string svg = fmt::format(
      "<g><title>{}, {}: {}{}{}</title><rect class=\"cell {}\" x=\"{}\" y=\"{}\" width=\"{}\" "
      "height=\"{}\" rx=\"3\" fill-opacity=\"{}\"/>\n",
      escaped(map.rows[row]), escaped(map.columns[column]),
      escaped(c.text.empty() ? "no number" : c.text), c.note.empty() ? "" : ", ", escaped(c.note),
      colour_class(colour.colour), position(x + 1), position(y + 1), position(cell_width - 2),
      position(cell_height - 2), position(0.9 * colour.strength));
  const double middle = x + cell_width / 2;
  const double line = y + cell_height / 2 + (c.note.empty() ? 4 : -1);
  svg += svg_text(middle, line, Anchor::middle, fitted(c.text, cell_width - 4),
                  inverse ? "on" : "strong");
  if (!c.note.empty()) {
    // Notes are smaller than other texts, so that more fits.
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\"{} style=\"font-size:8px\">{}</text>\n",
        position(middle), position(line + 11), inverse ? " class=\"on\"" : " class=\"strong\"",
        escaped(fitted(c.note, (cell_width - 2) * font_size / 8)));
  }
  return svg + "</g>\n";
}

}  // namespace

std::string to_svg(const HeatMap& map) {
  bool whole = map.cells.size() == map.rows.size();
  for (const auto& row : map.cells) {
    whole = whole && row.size() == map.columns.size();
  }
  require(whole, "Heat map '{}': the cells are not {} rows of {} columns.", map.title,
          map.rows.size(), map.columns.size());
  double left = 20;
  for (const std::string& name : map.rows) {
    left = std::max(left, std::min(150.0, text_width(name) + 12));
  }
  const double width = left + cell_width * static_cast<double>(map.columns.size()) + 4;
  constexpr double above = 22;
  const double height = above + cell_height * static_cast<double>(map.rows.size()) + 4;
  std::string svg;
  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    svg += svg_text(left + cell_width * (static_cast<double>(column) + 0.5), above - 7,
                    Anchor::middle, fitted(map.columns[column], cell_width - 4));
  }
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    const double y = above + cell_height * static_cast<double>(row);
    svg +=
        svg_text(left - 6, y + cell_height / 2 + 4, Anchor::end, fitted(map.rows[row], left - 8));
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      svg += cell(map, row, column, left + cell_width * static_cast<double>(column), y);
    }
  }
  // Wider than a column of charts where there are many columns, never blown up where there are few.
  return fmt::format("<div class=\"scroll\" style=\"max-width:{}px\">{}</div>\n",
                     position(1.35 * width),
                     figure(map.title, width, height, svg, "", map.columns.size() > 5));
}

}  // namespace precis
