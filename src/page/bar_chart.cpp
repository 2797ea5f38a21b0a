#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "page/axis.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

constexpr double width = 860;
constexpr double bar_height = 20;
constexpr double line_height = 30;

double sum_of(const BarChart::Bar& bar) {
  return std::accumulate(bar.values.begin(), bar.values.end(), 0.0);
}

void check(const BarChart& chart) {
  for (const BarChart::Bar& bar : chart.bars) {
    require(bar.values.size() == chart.parts.size(),
            "Chart '{}', bar '{}': {} values for {} parts.", chart.title, bar.name,
            bar.values.size(), chart.parts.size());
    for (const double value : bar.values) {
      require(std::isfinite(value) && value >= 0,
              "Chart '{}', bar '{}': a value is {}; expected one of at least 0.", chart.title,
              bar.name, value);
    }
  }
}

}  // namespace

std::string to_svg(const BarChart& chart) {
  check(chart);
  double left = 10;
  double after = 4;
  double most = 0;
  for (const BarChart::Bar& bar : chart.bars) {
    left = std::max(left, std::min(220.0, text_width(bar.name) + 14));
    after = std::max(after, text_width(bar.text) + 12);
    most = std::max(most, sum_of(bar));
  }
  std::string svg;
  for (std::size_t row = 0; row < chart.bars.size(); ++row) {
    const BarChart::Bar& bar = chart.bars[row];
    const double y = 4 + line_height * static_cast<double>(row);
    const double full = chart.shares ? sum_of(bar) : most;
    svg += svg_text(left - 8, y + bar_height / 2 + 4, Anchor::end, fitted(bar.name, left - 10));
    double x = left;
    for (std::size_t part = 0; part < bar.values.size() && full > 0; ++part) {
      // The first part is divided before it is multiplied, so that nothing overflows.
      const double length = bar.values[part] / full * (width - left - after);
      if (length > 0) {
        svg += fmt::format(
            "<rect class=\"part {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}: {}{} "
            "({})</title></rect>\n",
            colour_class(static_cast<int>(part)), position(x), position(y),
            position(std::max(0.3, length - 1)), position(bar_height), escaped(chart.parts[part]),
            number_text(bar.values[part]), chart.unit.empty() ? "" : " " + escaped(chart.unit),
            percent_text(bar.values[part] / sum_of(bar)));
      }
      const std::string share = percent_text(bar.values[part] / std::max(sum_of(bar), 1e-300));
      if (length > text_width(share) + 6) {
        svg += svg_text(x + length / 2, y + bar_height / 2 + 4, Anchor::middle, share, "on");
      }
      x += length;
    }
    svg += svg_text(x + 6, y + bar_height / 2 + 4, Anchor::start, bar.text, "strong");
  }
  std::vector<Key> keys;
  for (const std::string& part : chart.parts) {
    keys.push_back({.name = part, .colour = static_cast<int>(keys.size())});
  }
  return figure(chart.title, width, 8 + line_height * static_cast<double>(chart.bars.size()), svg,
                legend(keys), true);
}

}  // namespace precis
