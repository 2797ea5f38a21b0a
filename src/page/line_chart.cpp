#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "page/axis.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

constexpr double height = 230;
constexpr double top = 8;
constexpr std::size_t most_end_labels = 6;
constexpr std::size_t most_probes = 60;
constexpr std::size_t most_dots = 60;  // on a line

bool usable(double value, bool logarithmic) {
  return std::isfinite(value) && (!logarithmic || value > 0);
}

void check(const LineChart& chart) {
  for (const Series& s : chart.series) {
    const std::size_t n = s.x.size();
    require(s.y.size() == n && (s.low.empty() || (s.low.size() == n && s.high.size() == n)),
            "Chart '{}', series '{}': {} values of x, {} of y, {} of low and {} of high.",
            chart.title, s.name, n, s.y.size(), s.low.size(), s.high.size());
  }
}

/// Holds all values added to it; empty while low is above high.
struct Extent {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  void add(double value, bool logarithmic) {
    if (usable(value, logarithmic)) {
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
  }
  [[nodiscard]] bool empty() const { return range.low > range.high; }
};

struct Plot {
  const LineChart& chart;
  Range x_range, y_range;
  double width = 0, left = 0, right = 0, bottom = 0;
  std::vector<int> colour_of;  // of each series

  [[nodiscard]] Scale x() const { return {x_range, chart.log_x, left, right}; }
  [[nodiscard]] Scale y() const { return {y_range, chart.log_y, bottom, top}; }
  [[nodiscard]] bool drawn(double at, double value) const {
    return usable(at, chart.log_x) && usable(value, chart.log_y);
  }
};

/// Of the faint values as far as they do not press the others together.
Extent without_outliers(const Extent& strong, const Extent& faint) {
  if (strong.empty()) {
    return faint;
  }
  const double half = strong.range.high / 2 - strong.range.low / 2;
  Extent both = strong;
  if (!faint.empty() && half > 0) {
    both.range.low = std::min(both.range.low, std::max(faint.range.low, strong.range.low - half));
    both.range.high =
        std::max(both.range.high, std::min(faint.range.high, strong.range.high + half));
  }
  return both;
}

/// The ranges of both axes; false if there is nothing to draw.
bool find_ranges(Plot& plot) {
  const LineChart& chart = plot.chart;
  Extent xs;
  Extent strong;
  Extent faint;
  for (const Series& s : chart.series) {
    Extent& ys = s.faint ? faint : strong;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!plot.drawn(s.x[i], s.y[i])) {
        continue;
      }
      xs.add(s.x[i], chart.log_x);
      ys.add(s.y[i], chart.log_y);
      if (!s.low.empty()) {
        ys.add(s.low[i], chart.log_y);
        ys.add(s.high[i], chart.log_y);
      }
    }
  }
  Extent ys = without_outliers(strong, faint);
  if (xs.empty() || ys.empty()) {
    return false;
  }
  if (chart.level) {
    ys.add(*chart.level, chart.log_y);
  }
  plot.x_range = xs.range.high > xs.range.low ? xs.range : comfortable(xs.range, chart.log_x);
  plot.y_range = comfortable(ys.range, chart.log_y);
  plot.y_range.low = chart.y_low.value_or(plot.y_range.low);
  plot.y_range.high = chart.y_high.value_or(plot.y_range.high);
  if (!(plot.y_range.high > plot.y_range.low)) {
    plot.y_range.high = plot.y_range.low + 1;
  }
  // Numbers so large that their differences are not finite.
  return std::isfinite(plot.y_range.high - plot.y_range.low) &&
         std::isfinite(plot.x_range.high - plot.x_range.low);
}

struct EndLabel {
  double y;
  std::string text;
  int colour;
};

/// The names of the series at their last points, moved apart where they would overlap.
std::vector<EndLabel> end_labels(const Plot& plot) {
  std::vector<EndLabel> labels;
  const Scale y = plot.y();
  for (std::size_t k = 0; k < plot.chart.series.size(); ++k) {
    const Series& s = plot.chart.series[k];
    if (s.faint) {
      continue;
    }
    for (std::size_t i = s.x.size(); i-- > 0;) {
      if (plot.drawn(s.x[i], s.y[i])) {
        labels.push_back({y(s.y[i]) + 4, s.name, plot.colour_of[k]});
        break;
      }
    }
  }
  std::ranges::stable_sort(labels, {}, &EndLabel::y);
  constexpr double distance = font_size + 1.5;
  for (std::size_t i = 1; i < labels.size(); ++i) {
    labels[i].y = std::max(labels[i].y, labels[i - 1].y + distance);
  }
  // What went out at the bottom pushes back up.
  double most = plot.bottom + 3;
  for (std::size_t i = labels.size(); i-- > 0; most -= distance) {
    labels[i].y = std::min(labels[i].y, most);
  }
  return labels;
}

std::string axes(const Plot& plot, const std::vector<Tick>& x_ticks,
                 const std::vector<Tick>& y_ticks) {
  std::string svg;
  const Scale x = plot.x();
  const Scale y = plot.y();
  for (const Tick& tick : y_ticks) {
    const std::string at = position(y(tick.value));
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n",
                       position(plot.left), position(plot.right), at, at);
    svg += svg_text(plot.left - 6, y(tick.value) + 4, Anchor::end, tick.text);
  }
  double free_from = -1e9;
  for (const Tick& tick : x_ticks) {
    const double half = text_width(tick.text) / 2;
    const double at = std::min(x(tick.value), plot.width - half - 1);
    if (at - half > free_from) {
      svg += svg_text(at, plot.bottom + 15, Anchor::middle, tick.text);
      free_from = at + half + 4;
    }
  }
  svg += svg_text((plot.left + plot.right) / 2, height - 3, Anchor::middle,
                  fitted(plot.chart.x_label, plot.width));
  if (!plot.chart.y_label.empty()) {
    svg += fmt::format(
        "<text transform=\"translate(11 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        position((top + plot.bottom) / 2), escaped(fitted(plot.chart.y_label, plot.bottom - top)));
  }
  if (plot.chart.level) {
    const std::string at = position(y(*plot.chart.level));
    svg += fmt::format("<line class=\"level\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n",
                       position(plot.left), position(plot.right), at, at);
  }
  return svg;
}

std::string band(const Plot& plot, const Series& s, const std::string& colour) {
  const Scale x = plot.x();
  const Scale y = plot.y();
  std::string forward;
  std::string back;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (plot.drawn(s.x[i], s.low[i]) && plot.drawn(s.x[i], s.high[i])) {
      forward += fmt::format("{},{} ", position(x(s.x[i])), position(y(s.high[i])));
      back = fmt::format("{},{} ", position(x(s.x[i])), position(y(s.low[i]))) + back;
    }
  }
  return fmt::format("<polygon class=\"band {}\" points=\"{}{}\"/>\n", colour, forward, back);
}

std::string error_bars(const Plot& plot, const Series& s, const std::string& colour) {
  const Scale x = plot.x();
  const Scale y = plot.y();
  std::string svg;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (plot.drawn(s.x[i], s.low[i]) && plot.drawn(s.x[i], s.high[i])) {
      const std::string at = position(x(s.x[i]));
      svg += fmt::format("<line class=\"bar {}\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n",
                         colour, at, at, position(y(s.low[i])), position(y(s.high[i])));
    }
  }
  return svg;
}

std::string dot(double x, double y, const std::string& colour, double radius) {
  return fmt::format("<circle class=\"dot {}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n", colour,
                     position(x), position(y), position(radius));
}

std::string curve(const Plot& plot, const Series& s, const std::string& colour) {
  const Scale x = plot.x();
  const Scale y = plot.y();
  std::string path;
  std::string dots;
  std::size_t in_piece = 0;  // points since the last gap
  for (std::size_t i = 0; i <= s.x.size(); ++i) {
    if (i < s.x.size() && plot.drawn(s.x[i], s.y[i])) {
      path += fmt::format("{}{} {}", in_piece == 0 ? "M" : "L", position(x(s.x[i])),
                          position(y(s.y[i])));
      ++in_piece;
      continue;
    }
    if (in_piece == 1 && !s.points) {  // a line of one point would not be seen
      dots += dot(x(s.x[i - 1]), y(s.y[i - 1]), colour, 2.5);
    }
    in_piece = 0;
  }
  return fmt::format("<path class=\"curve {}{}\" d=\"{}\"/>\n{}", colour, s.faint ? " faint" : "",
                     path, dots);
}

/// The points of a faint series, small and in one path: there may be thousands.
std::string faint_dots(const Plot& plot, const Series& s, const std::string& colour) {
  const Scale x = plot.x();
  const Scale y = plot.y();
  std::string path;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (plot.drawn(s.x[i], s.y[i])) {
      path += fmt::format("M{} {}h0", position(x(s.x[i])), position(y(s.y[i])));
    }
  }
  return fmt::format("<path class=\"curve {} faint dots\" d=\"{}\"/>\n", colour, path);
}

std::string draw(const Plot& plot, const Series& s, int colour_index) {
  const std::string colour = colour_class(colour_index);
  std::string svg;
  if (!s.low.empty()) {
    svg += s.points ? error_bars(plot, s, colour) : band(plot, s, colour);
  }
  if (s.line) {
    svg += curve(plot, s, colour);
  }
  if (s.points && s.faint) {
    svg += faint_dots(plot, s, colour);
  } else if (s.points) {
    const Scale x = plot.x();
    const Scale y = plot.y();
    const std::size_t every = s.line ? 1 + s.x.size() / most_dots : 1;
    for (std::size_t i = 0; i < s.x.size(); i += every) {
      if (plot.drawn(s.x[i], s.y[i])) {
        svg += dot(x(s.x[i]), y(s.y[i]), colour, 3);
      }
    }
  }
  return svg;
}

/// Strips that show the nearest values of each series to the pointer.
std::string probes(const Plot& plot) {
  struct At {
    double position;
    std::size_t series, index;
  };
  const Scale x = plot.x();
  std::vector<At> points;
  for (std::size_t k = 0; k < plot.chart.series.size(); ++k) {
    const Series& s = plot.chart.series[k];
    for (std::size_t i = 0; !s.faint && i < s.x.size(); ++i) {
      if (plot.drawn(s.x[i], s.y[i])) {
        points.push_back({x(s.x[i]), k, i});
      }
    }
  }
  std::ranges::stable_sort(points, {}, &At::position);
  const double step = std::max(1.0, (plot.right - plot.left) / most_probes);
  std::string svg;
  // Centres of strips: the points themselves where they are not dense.
  std::vector<std::pair<double, std::string>> strips;
  for (std::size_t i = 0; i < points.size();) {
    const double begin = points[i].position;
    std::string text;
    std::vector<bool> told(plot.chart.series.size(), false);
    double last_x = std::nan("");
    for (; i < points.size() && points[i].position < begin + step * 0.75; ++i) {
      const Series& s = plot.chart.series[points[i].series];
      if (told[points[i].series]) {
        continue;
      }
      told[points[i].series] = true;
      const double at = s.x[points[i].index];
      if (at != last_x) {
        text +=
            fmt::format("{}{} {}", text.empty() ? "" : "\n", plot.chart.x_label, number_text(at));
        last_x = at;
      }
      text += fmt::format("\n{}{}{}", s.name, s.name.empty() ? "" : " ",
                          number_text(s.y[points[i].index]));
      if (!s.low.empty()) {
        text += fmt::format(" ({} to {})", number_text(s.low[points[i].index]),
                            number_text(s.high[points[i].index]));
      }
    }
    strips.emplace_back(begin, std::move(text));
  }
  for (std::size_t i = 0; i < strips.size(); ++i) {
    const double from = i == 0 ? plot.left : (strips[i - 1].first + strips[i].first) / 2;
    const double to =
        i + 1 == strips.size() ? plot.right : (strips[i].first + strips[i + 1].first) / 2;
    svg += fmt::format(
        "<rect class=\"probe\" x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\"><title>{}</title></rect>\n",
        position(from), position(top), position(std::max(1.0, to - from)),
        position(plot.bottom - top), escaped(strips[i].second));
  }
  return svg;
}

/// What every mark of the chart means.
std::vector<Key> keys_of(const Plot& plot) {
  const LineChart& chart = plot.chart;
  std::vector<Key> keys;
  bool intervals = false;
  for (const bool faint : {false, true}) {
    for (std::size_t k = 0; k < chart.series.size(); ++k) {
      const Series& s = chart.series[k];
      const std::string& name = s.key.empty() ? s.name : s.key;
      if (s.faint == faint && !name.empty()) {
        keys.push_back({.name = name,
                        .colour = faint || !s.key.empty() ? -1 : plot.colour_of[k],
                        .mark = faint                        ? Key::Mark::pale
                                : s.points && !s.key.empty() ? Key::Mark::dotted
                                                             : Key::Mark::line});
      }
      intervals = intervals || !s.low.empty();
    }
  }
  if (intervals) {
    keys.push_back({.name = "95% interval", .mark = Key::Mark::interval});
  }
  if (chart.level) {
    const std::string number = number_text(*chart.level);
    keys.push_back({.name = chart.level_name.empty()
                                ? number
                                : fmt::format("{}, {}", chart.level_name, number),
                    .mark = Key::Mark::dashed});
  }
  return keys;
}

std::vector<int> choose_colours(const LineChart& chart) {
  std::vector<int> colour_of;
  int next = 0;
  for (const Series& s : chart.series) {
    colour_of.push_back(s.colour >= 0 ? s.colour : next);
    next += s.faint || s.colour >= 0 ? 0 : 1;
  }
  return colour_of;
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  check(chart);
  Plot plot{.chart = chart,
            .x_range = {},
            .y_range = {},
            .width = chart.wide ? 860.0 : 420.0,
            .bottom = height - (chart.x_label.empty() ? 22 : 36),
            .colour_of = choose_colours(chart)};
  if (!find_ranges(plot)) {
    return figure(chart.title, plot.width, height,
                  svg_text(plot.width / 2, height / 2, Anchor::middle, "no numbers"), "",
                  chart.wide);
  }
  const auto x_ticks = chart.log_x ? logarithmic_ticks(plot.x_range, 6)
                                   : linear_ticks(plot.x_range, chart.wide ? 12 : 6);
  const auto y_ticks =
      chart.log_y ? logarithmic_ticks(plot.y_range, 5) : linear_ticks(plot.y_range, 5);
  double tick_width = 0;
  for (const Tick& tick : y_ticks) {
    tick_width = std::max(tick_width, text_width(tick.text));
  }
  plot.left = std::min(tick_width, plot.width / 4) + (chart.y_label.empty() ? 8 : 24);

  std::vector<EndLabel> labels;
  if (chart.labels) {
    labels = end_labels(plot);
    if (labels.size() > most_end_labels) {
      labels.clear();
    }
  }
  double label_width = 0;
  for (EndLabel& label : labels) {
    label.text = fitted(label.text, 0.3 * plot.width);
    label_width = std::max(label_width, text_width(label.text) * 1.08);
  }
  plot.right = plot.width - (label_width > 0 ? label_width + 8 : 8);

  std::string svg = axes(plot, x_ticks, y_ticks);
  for (const bool faint : {true, false}) {
    for (std::size_t k = 0; k < chart.series.size(); ++k) {
      if (chart.series[k].faint == faint) {
        svg += draw(plot, chart.series[k], plot.colour_of[k]);
      }
    }
  }
  for (const EndLabel& label : labels) {
    svg += svg_text(plot.right + 6, label.y, Anchor::start, label.text,
                    "label " + colour_class(label.colour));
  }
  return figure(chart.title, plot.width, height, svg + probes(plot), legend(keys_of(plot)),
                chart.wide);
}

std::string sparkline(const std::vector<double>& y) {
  Extent extent;
  std::size_t finite = 0;
  for (const double value : y) {
    extent.add(value, false);
    finite += std::isfinite(value) ? 1 : 0;
  }
  if (finite < 2) {
    return "";
  }
  const Scale across({0, static_cast<double>(y.size() - 1)}, false, 2, 158);
  const Scale up(comfortable(extent.range, false), false, 26, 2);
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) {
      pen_down = false;
      continue;
    }
    path += fmt::format("{}{} {}", pen_down ? "L" : "M", position(across(static_cast<double>(i))),
                        position(up(y[i])));
    pen_down = true;
  }
  return fmt::format(
      "<svg viewBox=\"0 0 160 28\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path "
      "class=\"curve k0\" vector-effect=\"non-scaling-stroke\" d=\"{}\"/></svg>\n",
      path);
}

}  // namespace precis
