// Charts as SVG and HTML for the pages of `page/html`, whose style colours them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace precis {

/// One line of a chart. Points that are not finite (or not positive on a logarithmic axis) leave a
/// gap. All names and labels of charts are plain text.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;  ///< as many as x
  std::vector<double> low =
      {};  ///< of an interval around y: a band, or bars where there are points
  std::vector<double> high = {};
  bool faint = false;  ///< drawn thin and pale, behind, without a label: single steps, say
  bool line = true;
  bool points = false;
  int colour = -1;       ///< 0 to 7; -1: by the order of the series that are not faint
  std::string key = {};  ///< instead of `name` in the key: grey, once for all that have it
};

struct LineChart {
  std::string title;
  std::string x_label = {};
  std::string y_label = {};
  std::vector<Series> series;
  bool log_x = false;
  bool log_y = false;
  std::optional<double> y_low = {};  ///< instead of the values' range; what lies beyond is drawn at
  std::optional<double> y_high = {};  ///< the edge
  std::optional<double> level = {};   ///< a dashed line across, for chance or a target
  std::string level_name = {};        ///< what it is, for the key
  bool labels = true;                 ///< names at the lines' ends too, where there are few
  bool wide = false;                  ///< twice as wide
};

/// A figure: the title, the chart and its key: what each line is, and what is pale, dashed or an
/// interval. The height is for what is not faint, and half as much again above and below as far as
/// faint values reach; those beyond are drawn at the edge. The chart has a strip for the pointer at
/// up to 60 places that shows the values there. Throws Error if a series' vectors differ in length.
[[nodiscard]] std::string to_svg(const LineChart& chart);

/// A line without axes, for beside a number. Empty where there are fewer than two finite points.
[[nodiscard]] std::string sparkline(const std::vector<double>& y);

/// A table of coloured cells, with a scale of the colours as its key.
struct HeatMap {
  struct Cell {
    std::optional<double> value = {};  ///< nothing: an empty cell
    std::string text = {};             ///< shown in the cell
    std::string note = {};             ///< shown small below the text: an interval, say
  };
  std::string title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> cells;  ///< a vector a row
  double low = 0;                        ///< value without colour
  double high = 1;                       ///< value of full colour
  std::optional<double> middle = {};     ///< without colour; values below it have another colour
};

/// A figure with a table, so that its first column stays in sight where it scrolls. Throws Error if
/// the cells are not rows by columns.
[[nodiscard]] std::string to_html(const HeatMap& map);

/// Horizontal bars, each of parts that add up.
struct BarChart {
  struct Bar {
    std::string name;
    std::vector<double> values;  ///< one a part, not negative
    std::string text = {};       ///< beside the name: the total, say
  };
  std::string title;
  std::vector<std::string> parts;
  std::vector<Bar> bars;
  std::string unit = {};
  bool shares = false;  ///< every bar has full length
};

/// A figure that fits every screen, each bar below its name. Throws Error if a bar has not one
/// value per part, or one that is negative or not finite.
[[nodiscard]] std::string to_html(const BarChart& chart);

}  // namespace precis
