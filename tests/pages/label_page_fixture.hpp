// What the tests of a label page in a real browser share.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "run/ppo_run.hpp"
#include "support/chromium.hpp"

namespace precis::test {

using nlohmann::json;

/// A row of pairs.jsonl.
inline json pair_row(int number, const std::string& first, const std::string& second) {
  return {
      {"info",
       {{"id", fmt::format("t3_{}", number)},
        {"subreddit", "tifu"},
        {"title", fmt::format("Title {}", number)},
        {"post", fmt::format("Post {} has a story.\n\nAnd a second paragraph.", number)}}},
      {"summaries",
       {{{"text", " " + first}, {"policy", "ref"}}, {{"text", " " + second}, {"policy", "ppo"}}}},
      {"batch", "batch1"},
      {"split", "train"}};
}

inline std::string lines_of(const std::vector<json>& rows) {
  std::string text;
  for (const json& row : rows) {
    text += row.dump() + "\n";
  }
  return text;
}

class LabelPage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Chromium::find()) {
      GTEST_SKIP() << "no Chromium is installed: apt-get install chromium, or set PRECIS_CHROMIUM";
    }
    browser_.emplace(*Chromium::find());
  }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }

  static std::string succeed(std::vector<std::string> words) {
    words.insert(words.begin(), {PRECIS_PROGRAM, "label"});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }

  /// Exports the pairs and opens the page.
  void open(const std::vector<json>& rows, const std::vector<std::string>& keys = {}) {
    folder_.file("pairs.jsonl", lines_of(rows));
    std::vector<std::string> words = {"export", "--input", file("pairs.jsonl"), "--output",
                                      file("page.html")};
    words.insert(words.end(), keys.begin(), keys.end());
    succeed(words);
    browser_->open(file("page.html"));
  }

  void begin_as(const std::string& name) {
    browser_->click("#name");
    browser_->type(name);
    browser_->click("#start-form button");
  }

  std::string text(const std::string& selector) {
    return browser_->evaluate(
        fmt::format("document.querySelector({}).textContent", json(selector).dump()));
  }

  bool is_visible(const std::string& selector) {
    return browser_->evaluate(
        fmt::format("document.querySelector({}).checkVisibility()", json(selector).dump()));
  }

  Path download() {
    browser_->click("#bar .download");
    return browser_->wait_for_download();
  }

  std::string import(const Path& answers, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {
        "import", "--input", answers, "--pairs", file("pairs.jsonl"), "--output", file("out")};
    words.insert(words.end(), more.begin(), more.end());
    return succeed(words);
  }

  /// For people to look at, where $PRECIS_SCREENSHOTS names a folder.
  void picture(const std::string& name, bool whole = false) {
    if (const char* folder = std::getenv("PRECIS_SCREENSHOTS")) {
      browser_->screenshot(Path(folder) / (name + ".png"), whole);
    }
  }

  Chromium& browser() { return *browser_; }

 private:
  TemporaryFolder folder_;
  std::optional<Chromium> browser_;
};
}  // namespace precis::test
