// The page of `precis report` in a real browser: what is wide scrolls in its own box, nothing is
// cut on phones and on paper, and every chart has its key.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "run/ppo_run.hpp"
#include "support/chromium.hpp"

namespace precis::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string long_path =
    "/scratch/users/somebody/experiments/2026-11-29/seed-1/beta-0.05/rollouts/comparisons_of_all_"
    "rounds_of_all_labelers.jsonl";

json rate(double of) { return {{"rate", of}, {"low", of - 0.05}, {"high", of + 0.05}}; }

class ReportPage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Chromium::find()) {
      GTEST_SKIP() << "no Chromium is installed: apt-get install chromium, or set PRECIS_CHROMIUM";
    }
    fill();
    const Outcome outcome = run({PRECIS_PROGRAM, "report", folder_ / "loop", "--output", page()});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    browser_.emplace(*Chromium::find());
    browser_->open(page());
  }

  /// Two runs with long names, a table of many policies, and a matrix of many labelers.
  void fill() {
    std::string metrics;
    for (int step = 1; step <= 80; ++step) {
      metrics +=
          json{{"step", step},          {"loss", 3.0 / step}, {"accuracy", 0.5 + 0.005 * step},
               {"valid_accuracy", 0.7}, {"seconds", 2},       {"seconds_forward", 1}}
              .dump() +
          "\n";
    }
    for (const std::string run : {"one", "another_with_a_rather_long_name_that_must_wrap"}) {
      std::filesystem::create_directories(folder_ / ("loop/" + run));
      folder_.file("loop/" + run + "/metrics.jsonl", metrics);
      folder_.file("loop/" + run + "/model.h5", "");
      folder_.file("loop/" + run + "/deck.cfg",
                   "[data]\ntrain_split = train\ntrain = " + long_path + run + "\n");
      folder_.file("loop/" + run + "/log.txt", "2026-01-02T10:00:07Z warning: " + long_path + "\n");
    }
    json policies = json::array();
    json judges = json::array();
    json cells = json::array();
    for (int i = 0; i < 12; ++i) {
      policies.push_back({{"name", fmt::format("policy {}", i)},
                          {"gold", 0.5},
                          {"win_rate_references", rate(0.5)},
                          {"win_rate_first", rate(0.6)}});
      judges.push_back({{"name", fmt::format("labeler {}", i)}});
      json row = json::array();
      for (int j = 0; j < 12; ++j) {
        row.push_back(i == j ? json() : json{{"share", 0.08 * j}, {"low", 0.01}, {"high", 0.99}});
      }
      cells.push_back(row);
    }
    folder_.file("loop/table.json", json{{"posts", 9}, {"policies", policies}}.dump());
    folder_.file(
        "loop/audit.json",
        json{{"judgements", 9}, {"matrix", {{"judges", judges}, {"cells", cells}}}}.dump());
  }

  [[nodiscard]] std::string page() const { return folder_ / "report.html"; }
  Chromium& browser() { return *browser_; }

  /// Elements that reach beyond the page and do not stand in a box that scrolls.
  json beyond() {
    return browser().evaluate(R"((() => {
      const width = document.documentElement.clientWidth;
      const inBox = (e) => { const box = e.parentElement?.closest('.scroll');
                             return box && getComputedStyle(box).overflowX === 'auto'; };
      return [...document.querySelectorAll('main *')]
          .filter((e) => e.checkVisibility() && !inBox(e) && e.getBoundingClientRect().right > width + 1)
          .map((e) => e.outerHTML.slice(0, 120));
    })())");
  }

  void picture(const std::string& name, bool whole = false) {
    if (const char* folder = std::getenv("PRECIS_SCREENSHOTS")) {
      browser_->screenshot(Path(folder) / ("report-" + name + ".png"), whole);
    }
  }

  TemporaryFolder folder_;

 private:
  std::optional<Chromium> browser_;
};

TEST_F(ReportPage, FitsPhonesAndDesktopsInLightAndDark) {
  for (const int width : {320, 390, 768, 1280, 1920}) {
    for (const bool dark : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", width, dark ? "dark" : "light"));
      browser().set_screen({.width = width, .height = 800, .dark = dark, .phone = width < 700});
      EXPECT_LE(browser().evaluate("document.documentElement.scrollWidth"), width);
      EXPECT_EQ(beyond(), json::array());
      picture(fmt::format("{}-{}", width, dark ? "dark" : "light"), width < 700);
    }
  }
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(ReportPage, WideTablesScrollWithTheirFirstColumnInSightAndAHint) {
  browser().set_screen({.width = 390, .height = 780, .phone = true});
  for (const char* table : {"table.many", "table.heat"}) {
    SCOPED_TRACE(table);
    const std::string box = fmt::format("document.querySelector('{}').closest('.scroll')", table);
    EXPECT_EQ(browser().evaluate(box + ".scrollWidth > " + box + ".clientWidth"), true);
    const auto left_of = [&](const char* cell) {
      return browser()
          .evaluate(fmt::format(
              "document.querySelector('{} tbody tr').{}.getBoundingClientRect().x", table, cell))
          .get<double>();
    };
    const double first = left_of("firstElementChild");
    const double second = left_of("children[1]");
    const std::string hint =
        "getComputedStyle(" + box + ".parentElement, '::after').fontSize !== '0px'";
    EXPECT_TRUE(browser().wait_for(hint));
    browser().evaluate(box + ".scrollLeft = 200");
    EXPECT_NEAR(left_of("firstElementChild"), first, 3);
    EXPECT_NEAR(left_of("children[1]"), second - 200, 3);
  }
  picture("scrolled");
  // A table that fits has no hint.
  EXPECT_EQ(
      browser().evaluate("[...document.querySelectorAll('.box')].every((box) => "
                         "getComputedStyle(box, '::after').fontSize === '0px' || "
                         "box.firstElementChild.scrollWidth > box.firstElementChild.clientWidth)"),
      true);
}

TEST_F(ReportPage, OnAPhoneTotalsAreInSightAndWordsAreWhole) {
  browser().set_screen({.width = 390, .height = 780, .phone = true});
  EXPECT_EQ(
      browser().evaluate("[...document.querySelectorAll('.bar-name .total')].map((total) => "
                         "total.getBoundingClientRect().right <= 390 ? total.textContent : 0)"),
      json::array({"2 min 40 s", "2 min 40 s"}));
  // The lines of each cell that stands in a table of text, as they are broken.
  const json lines = browser().evaluate(R"((() => {
    const linesOf = (cell) => {
      const lines = [];
      const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      let top = null;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (let i = 0; i < node.length; ++i) {
          const range = document.createRange();
          range.setStart(node, i);
          range.setEnd(node, i + 1);
          const box = range.getBoundingClientRect();
          if (top === null || box.top > top + 5) {
            lines.push('');
            top = box.top;
          }
          lines[lines.length - 1] += node.data[i];
        }
      }
      return lines;
    };
    const cell = (text) => [...document.querySelectorAll('td')].find((td) => td.textContent.includes(text));
    return [linesOf(cell('complete, ')), linesOf(cell('/scratch/'))];
  })())");
  EXPECT_EQ(lines[0], json::array({"complete, ", "80\u00a0steps"}));
  for (std::size_t i = 0; i + 1 < lines[1].size(); ++i) {
    const std::string line = lines[1][i];
    const std::string next = lines[1][i + 1];
    EXPECT_TRUE(std::string("/_,-").find(line.back()) != std::string::npos || next[0] == '.')
        << line << " | " << next;
  }
  EXPECT_GT(lines[1].size(), 4U);
  // Neither do cells touch the line beside the first column.
  EXPECT_GE(browser().evaluate("parseFloat(getComputedStyle(document.querySelector("
                               "'table:not(.heat) td:nth-child(2)')).paddingLeft)"),
            6);
}

TEST_F(ReportPage, EveryChartHasItsKey) {
  EXPECT_GT(browser().evaluate("document.querySelectorAll('figure').length"), 4);
  EXPECT_EQ(browser().evaluate("[...document.querySelectorAll('figure')]"
                               ".filter((figure) => !figure.querySelector('.keys'))"
                               ".map((figure) => figure.querySelector('figcaption').textContent)"),
            json::array());
  // Also what is pale or dashed.
  EXPECT_EQ(browser().evaluate("[...document.querySelectorAll('figure')].every((figure) => "
                               "!figure.querySelector('.faint') === !figure.querySelector('.pale') "
                               "&& !figure.querySelector('.level') === "
                               "!figure.querySelector('.dashed'))"),
            true);
}

TEST_F(ReportPage, NothingIsCutOnPaper) {
  const std::string seen = R"([...document.querySelectorAll('details pre, details td')]
      .filter((e) => e.checkVisibility()).length)";
  EXPECT_EQ(browser().evaluate(seen), 0) << "folded on the screen";
  // A4 without margins of 1 cm, in CSS pixels.
  browser().set_screen({.width = 718, .height = 1000, .paper = true});
  EXPECT_EQ(beyond(), json::array());
  EXPECT_LE(browser().evaluate("document.documentElement.scrollWidth"), 718);
  EXPECT_EQ(browser().evaluate("[...document.querySelectorAll('.scroll, figure')].every((box) => "
                               "getComputedStyle(box).overflowX === 'visible')"),
            true);
  EXPECT_GT(browser().evaluate(seen), 10) << "unfolded on paper";
  const char* folder = std::getenv("PRECIS_SCREENSHOTS");
  const Path pdf = folder != nullptr ? Path(folder) / "report.pdf" : Path(folder_ / "report.pdf");
  browser().print(pdf);
  EXPECT_THAT(text_of(pdf), testing::StartsWith("%PDF"));
}

}  // namespace
}  // namespace precis::test
