// Charts: what is drawn where, gaps, labels, hostile names, numbers without end.
#include "page/chart.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "page/svg.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double infinite = std::numeric_limits<double>::infinity();
const double nan_value = std::nan("");
const std::string hostile = "</title><script>alert(1)</script>\"'&";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

/// The points of the first path.
std::vector<std::pair<double, double>> path_of(const std::string& svg) {
  std::smatch path;
  EXPECT_TRUE(std::regex_search(svg, path, std::regex(" d=\"([^\"]*)\"")));
  const std::string commands = path[1];
  const std::regex point("[ML]([-0-9.]+) ([-0-9.]+)");
  std::vector<std::pair<double, double>> points;
  for (std::sregex_iterator it(commands.begin(), commands.end(), point), end; it != end; ++it) {
    points.emplace_back(std::stod((*it)[1]), std::stod((*it)[2]));
  }
  return points;
}

/// Every number of the drawing is one.
void expect_finite(const std::string& svg) {
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(LineChart, ValuesLieInProportion) {
  const std::string svg =
      to_svg(LineChart{.title = "loss",
                       .series = {{.name = "a", .x = {0, 5, 10}, .y = {1, 3, 2}}},
                       .labels = false});
  const auto points = path_of(svg);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_NEAR(points[1].first - points[0].first, points[2].first - points[1].first, 0.02);
  EXPECT_NEAR((points[0].second - points[1].second) / 2, points[0].second - points[2].second, 0.02);
  EXPECT_LT(points[1].second, points[0].second) << "larger values are higher up";
  EXPECT_EQ(count(svg, "class=\"probe\""), 3U);
  EXPECT_THAT(svg, HasSubstr("<figcaption dir=\"auto\">loss</figcaption>"));
}

TEST(LineChart, LogarithmicAxesMakeFactorsDistances) {
  const std::string svg =
      to_svg(LineChart{.title = "t",
                       .series = {{.name = "", .x = {1, 10, 100}, .y = {1e-4, 1e-2, 1}}},
                       .log_x = true,
                       .log_y = true});
  const auto points = path_of(svg);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_NEAR(points[1].first - points[0].first, points[2].first - points[1].first, 0.02);
  EXPECT_NEAR(points[1].second - points[0].second, points[2].second - points[1].second, 0.02);
}

TEST(LineChart, WhatIsNotFiniteLeavesAGap) {
  const std::string svg = to_svg(LineChart{
      .title = "t",
      .series = {{.name = "", .x = {0, 1, 2, 3, 4, 5}, .y = {1, 2, nan_value, 4, infinite, 6}}}});
  expect_finite(svg);
  EXPECT_EQ(path_of(svg).size(), 4U);
  EXPECT_EQ(count(svg.substr(svg.find(" d=\"")), "M"), 3U) << "three pieces";
  EXPECT_EQ(count(svg, "<circle"), 2U) << "pieces of one point are dots";
}

TEST(LineChart, WithoutNumbersSaysSo) {
  EXPECT_THAT(to_svg(LineChart{.title = "t", .series = {}}), HasSubstr("no numbers"));
  EXPECT_THAT(to_svg(LineChart{.title = "t", .series = {{.name = "", .x = {1}, .y = {nan_value}}}}),
              HasSubstr("no numbers"));
  EXPECT_THAT(
      to_svg(LineChart{.title = "t", .series = {{.name = "", .x = {0}, .y = {1}}}, .log_x = true}),
      HasSubstr("no numbers"));
  EXPECT_THAT(
      to_svg(LineChart{.title = "t", .series = {{.name = "", .x = {1, 2}, .y = {-1e308, 1e308}}}}),
      HasSubstr("no numbers"));
}

TEST(LineChart, NamesAreTextWhereverTheyStand) {
  for (const int copies : {1, 2, 9}) {
    LineChart chart{.title = hostile, .x_label = hostile, .y_label = hostile, .series = {}};
    for (int i = 0; i < copies; ++i) {
      chart.series.push_back({.name = hostile + "\xff", .x = {0, 1}, .y = {0, 1.0 * i}});
    }
    const std::string svg = to_svg(chart);
    EXPECT_THAT(svg, Not(HasSubstr("<script")));
    EXPECT_THAT(svg, Not(HasSubstr("\xff")));
    EXPECT_EQ(count(svg, "&lt;/title&gt;&lt;script&gt;") > 0, true);
  }
}

TEST(LineChart, LabelsDoNotOverlapAndManyBecomeALegend) {
  LineChart chart{.title = "t", .series = {}};
  for (int i = 0; i < 6; ++i) {
    chart.series.push_back({.name = fmt::format("s{}", i), .x = {0, 1}, .y = {0, 1 + 1e-3 * i}});
  }
  const std::string svg = to_svg(chart);
  const std::regex label("y=\"([-0-9.]+)\" class=\"label k[0-7]\">s");
  std::vector<double> places;
  for (std::sregex_iterator it(svg.begin(), svg.end(), label), end; it != end; ++it) {
    places.push_back(std::stod((*it)[1]));
  }
  ASSERT_EQ(places.size(), 6U);
  for (std::size_t i = 1; i < places.size(); ++i) {
    EXPECT_GE(std::abs(places[i] - places[i - 1]), font_size);
  }
  chart.series.push_back({.name = "s6", .x = {0, 1}, .y = {0, 1}});
  EXPECT_THAT(to_svg(chart), HasSubstr("<span class=\"key k6\">s6</span>"));
  EXPECT_THAT(to_svg(chart), Not(HasSubstr("class=\"label")));
  chart.series.pop_back();
  EXPECT_THAT(to_svg(chart), HasSubstr("<span class=\"key k5\">s5</span>"))
      << "few have a key too: on a phone the labels are small";
  chart.labels = false;
  EXPECT_THAT(to_svg(chart), testing::AllOf(HasSubstr("s5</span>"), Not(HasSubstr("s5</text>"))));
}

TEST(LineChart, BandsBarsFaintLinesAndLevels) {
  const Series values{.name = "", .x = {1, 2}, .y = {1, 2}, .low = {0.5, 1.5}, .high = {1.5, 2.5}};
  LineChart chart{.title = "t", .series = {values}};
  EXPECT_EQ(count(to_svg(chart), "<polygon class=\"band k0\""), 1U);
  chart.series[0].points = true;
  const std::string svg = to_svg(chart);
  EXPECT_EQ(count(svg, "<line class=\"bar k0\""), 2U);
  EXPECT_EQ(count(svg, "<circle class=\"dot k0\""), 2U);
  EXPECT_THAT(svg, HasSubstr("(0.5 to 1.5)"));
  chart.series[0].faint = true;
  chart.level = 0;
  EXPECT_THAT(to_svg(chart), HasSubstr("class=\"curve k0 faint\""));
  chart.level_name = "start";
  EXPECT_THAT(to_svg(chart), HasSubstr("class=\"level\""));
  EXPECT_THAT(to_svg(chart), HasSubstr("<span class=\"key interval\">95% interval</span>"
                                       "<span class=\"key dashed\">start, 0</span>"));
}

TEST(LineChart, TheKeyNamesPaleLinesOnce) {
  LineChart chart{.title = "t", .series = {}, .labels = false};
  for (const char* name : {"training", "validation"}) {
    chart.series.push_back({.name = "each step", .x = {0, 1}, .y = {0, 1}, .faint = true});
    chart.series.push_back({.name = name, .x = {0, 1}, .y = {0, 1}});
  }
  EXPECT_THAT(to_svg(chart),
              HasSubstr("<div class=\"keys\"><span class=\"key k0\">training</span><span "
                        "class=\"key k1\">validation</span><span class=\"key pale\">each "
                        "step</span></div>"));
}

TEST(LineChart, TheKeyNamesWhatSeveralSeriesAreOnce) {
  LineChart chart{.title = "t", .series = {}, .labels = false};
  for (const char* name : {"one", "two"}) {
    chart.series.push_back({.name = name, .x = {0, 1}, .y = {0, 1}});
    chart.series.push_back({.name = std::string(name) + ", validation",
                            .x = {0, 1},
                            .y = {0, 1},
                            .points = true,
                            .key = "validation"});
  }
  const std::string svg = to_svg(chart);
  EXPECT_THAT(svg, HasSubstr("one</span><span class=\"key dotted\">validation</span><span "
                             "class=\"key k2\">two</span></div>"));
  EXPECT_THAT(svg, HasSubstr("\ntwo, validation 1</title>")) << "the pointer tells whose it is";
}

TEST(LineChart, FaintOutliersLieAtTheEdgeAndDoNotPressTheOthers) {
  const Series line{.name = "mean", .x = {0, 1, 2}, .y = {2, 4, 3}};
  const Series steps{.name = "each step",
                     .x = {0, 1, 2},
                     .y = {1.5, 900, 3.5},
                     .faint = true,
                     .line = false,
                     .points = true};
  const std::string svg = to_svg(LineChart{.title = "t", .series = {line, steps}});
  std::smatch dots;
  ASSERT_TRUE(std::regex_search(
      svg, dots,
      std::regex("faint dots\" d=\"M[0-9.]+ ([0-9.]+)h0M[0-9.]+ ([0-9.]+)h0M[0-9.]+ ([0-9.]+)h0")));
  const double unit = (std::stod(dots[1]) - std::stod(dots[3])) / 2;
  EXPECT_EQ(std::stod(dots[2]), 8) << "the upper edge";
  // From 0 to a little more than 5, which is half of the line's range above it.
  EXPECT_NEAR(unit, (230 - 22 - 8) / 5.175, 0.01);
}

TEST(LineChart, HugeSeriesHaveFewProbes) {
  Series series{.name = "a", .x = {}, .y = {}};
  for (int i = 0; i < 2000; ++i) {
    series.x.push_back(i);
    series.y.push_back(std::sin(0.01 * i));
  }
  const std::size_t probes =
      count(to_svg(LineChart{.title = "t", .series = {series}}), "class=\"probe\"");
  EXPECT_GT(probes, 40U);
  EXPECT_LE(probes, 82U);
}

TEST(LineChart, NumbersOfAnySizeAreDrawn) {
  for (const double size : {1e-320, 1e-300, 1e-9, 1.0, 1e12, 1e100, 5e307}) {
    const LineChart chart{
        .title = "t",
        .series = {
            {.name = std::string(200, 'x'), .x = {0, 0.5 * size, size}, .y = {-size, size, size}}}};
    const std::string svg = to_svg(chart);
    expect_finite(svg);
    EXPECT_EQ(path_of(svg).size(), 3U) << size;
    EXPECT_LT(svg.size(), 10000U) << size;
  }
}

TEST(LineChart, VectorsOfDifferentLengthAreRefused) {
  EXPECT_THROW(
      (void)to_svg(LineChart{.title = "t", .series = {{.name = "a", .x = {1, 2}, .y = {1}}}}),
      Error);
  EXPECT_THROW(
      (void)to_svg(LineChart{
          .title = "t", .series = {{.name = "a", .x = {1}, .y = {1}, .low = {1}, .high = {}}}}),
      Error);
}

TEST(Sparkline, NeedsTwoNumbers) {
  EXPECT_EQ(sparkline({}), "");
  EXPECT_EQ(sparkline({1, nan_value}), "");
  EXPECT_EQ(path_of(sparkline({1, 2, 3})).size(), 3U);
}

TEST(HeatMap, ColoursGrowAwayFromTheMiddle) {
  const HeatMap map{.title = "agreement",
                    .rows = {"a", hostile},
                    .columns = {"x", "y"},
                    .cells = {{{0.9, "0.90", "0.85 to 0.94"}, {0.5, "0.50"}}, {{0.1, "0.10"}, {}}},
                    .low = 0,
                    .high = 1,
                    .middle = 0.5};
  const std::string svg = to_html(map);
  EXPECT_THAT(svg, HasSubstr("a, x: 0.90, 0.85 to 0.94"));
  EXPECT_THAT(svg, HasSubstr("<td class=\"k0 inverse\" style=\"--share:72%\""));  // 0.9 of 0.8
  EXPECT_EQ(count(svg, "<td class=\"k0\" style=\"--share:0%\""), 1U);
  EXPECT_EQ(count(svg, "<td class=\"k1"), 1U) << "below the middle";
  EXPECT_EQ(count(svg, "<td title="), 1U) << "no number, no colour";
  EXPECT_THAT(svg, HasSubstr("<div class=\"keys ramp\"><span>0</span><i class=\"k1 inverse\""));
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THROW((void)to_html(HeatMap{.title = "", .rows = {"a"}, .columns = {"b"}, .cells = {{}}}),
               Error);
}

TEST(BarChart, PartsAreInProportionAndToldInFull) {
  const std::string html =
      to_html(BarChart{.title = "time",
                       .parts = {"rollout", hostile},
                       .bars = {{"run", {3, 1}, "4 s"}, {"half", {1, 1}, "2 s"}},
                       .unit = "s"});
  const std::regex part("class=\"part k([01])\" style=\"width:([0-9.]+)%\"");
  std::vector<double> widths;
  for (std::sregex_iterator it(html.begin(), html.end(), part), end; it != end; ++it) {
    widths.push_back(std::stod((*it)[2]));
  }
  ASSERT_EQ(widths.size(), 4U);
  EXPECT_EQ(widths, (std::vector<double>{75, 25, 25, 25}));
  EXPECT_THAT(html, HasSubstr("rollout: 3 s (75.0%)"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(to_html(BarChart{.title = "", .parts = {"a"}, .bars = {{"b", {0}}}}),
              Not(HasSubstr("part k")));
  EXPECT_THROW((void)to_html(BarChart{.title = "", .parts = {"a"}, .bars = {{"b", {nan_value}}}}),
               Error);
  EXPECT_THROW((void)to_html(BarChart{.title = "", .parts = {"a"}, .bars = {{"b", {}}}}), Error);
}

TEST(Fitted, ShortensBetweenCharacters) {
  EXPECT_EQ(fitted("short", 100), "short");
  EXPECT_EQ(fitted("a longer name", 50), "a long\xe2\x80\xa6");
  const std::string wide = "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad";
  EXPECT_EQ(fitted(wide, 34), "\xe4\xb8\xad\xe4\xb8\xad\xe2\x80\xa6");
}

}  // namespace
}  // namespace precis
