#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

constexpr int swatches = 9;  // of the key

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

/// The attributes that colour a cell or a swatch.
std::string coloured(const HeatMap& map, double value) {
  const Colouring colour = colouring(map, value);
  return fmt::format(" class=\"{}{}\" style=\"--share:{}%\"", colour_class(colour.colour),
                     colour.strength > 0.75 ? " inverse" : "", position(90 * colour.strength));
}

std::string cell(const HeatMap& map, std::size_t row, std::size_t column) {
  const HeatMap::Cell& c = map.cells[row][column];
  const std::string note = c.note.empty() ? "" : "<small>" + escaped(c.note) + "</small>";
  return fmt::format("<td{} title=\"{}, {}: {}{}{}\">{}{}</td>",
                     c.value ? coloured(map, *c.value) : "", escaped(map.rows[row]),
                     escaped(map.columns[column]), escaped(c.text.empty() ? "no number" : c.text),
                     c.note.empty() ? "" : ", ", escaped(c.note), escaped(c.text), note);
}

/// The colours from the lowest value to the highest.
std::string key(const HeatMap& map) {
  std::string html = fmt::format("<div class=\"keys ramp\"><span>{}</span>", number_text(map.low));
  for (int i = 0; i < swatches; ++i) {
    const double value = map.low + (map.high - map.low) * i / (swatches - 1);
    html += fmt::format("<i{}></i>", coloured(map, value));
  }
  return html + fmt::format("<span>{}</span></div>\n", number_text(map.high));
}

}  // namespace

std::string to_html(const HeatMap& map) {
  bool whole = map.cells.size() == map.rows.size();
  for (const auto& row : map.cells) {
    whole = whole && row.size() == map.columns.size();
  }
  require(whole, "Heat map '{}': the cells are not {} rows of {} columns.", map.title,
          map.rows.size(), map.columns.size());
  std::string table = "<table class=\"heat\">\n<thead><tr><th></th>";
  for (const std::string& name : map.columns) {
    table += fmt::format("<th scope=\"col\">{}</th>", escaped(name));
  }
  table += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    table += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(map.rows[row]));
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      table += cell(map, row, column);
    }
    table += "</tr>\n";
  }
  return fmt::format("<figure class=\"wide\">\n<figcaption>{}</figcaption>\n{}{}</figure>\n",
                     escaped(map.title), scrolling(table + "</tbody>\n</table>", map.title),
                     key(map));
}

}  // namespace precis
