#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

constexpr double least_with_text = 0.1;  // of the full length: room for "12.3%" on a phone

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

/// The parts of a bar, each as long as its share of `full`.
std::string parts_of(const BarChart& chart, const BarChart::Bar& bar, double full) {
  std::string html;
  for (std::size_t part = 0; part < bar.values.size() && full > 0; ++part) {
    const double length = bar.values[part] / full;
    if (length > 0) {
      const std::string share = percent_text(bar.values[part] / sum_of(bar));
      html += fmt::format(
          "<i class=\"part {}\" style=\"width:{:.2f}%\" title=\"{}: {}{} ({})\">{}</i>",
          colour_class(static_cast<int>(part)), 100 * length, escaped(chart.parts[part]),
          number_text(bar.values[part]), chart.unit.empty() ? "" : " " + escaped(chart.unit), share,
          length >= least_with_text ? share : "");
    }
  }
  return html;
}

}  // namespace

std::string to_html(const BarChart& chart) {
  check(chart);
  double most = 0;
  for (const BarChart::Bar& bar : chart.bars) {
    most = std::max(most, sum_of(bar));
  }
  std::string html;
  for (const BarChart::Bar& bar : chart.bars) {
    html += fmt::format(
        "<div class=\"bar-name\"><span dir=\"auto\">{}</span> <span "
        "class=\"total\">{}</span></div>\n<div class=\"bar-parts\">{}</div>\n",
        escaped(bar.name), escaped(bar.text),
        parts_of(chart, bar, chart.shares ? sum_of(bar) : most));
  }
  std::vector<Key> keys;
  for (const std::string& part : chart.parts) {
    keys.push_back({.name = part, .colour = static_cast<int>(keys.size())});
  }
  return fmt::format(
      "<figure class=\"wide\">\n<figcaption dir=\"auto\">{}</figcaption>\n{}{}</figure>\n",
      escaped(chart.title), html, legend(keys));
}

}  // namespace precis
