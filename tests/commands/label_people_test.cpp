// `label export` and `label import` as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "feedback/made_pairs.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LabelPeople : public testing::Test {
 protected:
  void SetUp() override { folder_.file("pairs.jsonl", to_lines(made_pairs(12))); }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }

  [[nodiscard]] Outcome label(std::vector<std::string> words) const {
    words.insert(words.begin(), {PRECIS_PROGRAM, "label"});
    return run(words);
  }

  [[nodiscard]] Outcome export_page(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"export", "--input", file("pairs.jsonl"), "--output",
                                      file("out")};
    words.insert(words.end(), more.begin(), more.end());
    return label(words);
  }

  [[nodiscard]] Outcome import_answers(const std::string& input,
                                       const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"import",   "--input",  input, "--pairs", file("pairs.jsonl"),
                                      "--output", file("out")};
    words.insert(words.end(), more.begin(), more.end());
    return label(words);
  }

  /// What the labeler's page downloads when every pair but some of the last is judged.
  std::string answers(const std::string& worker, int missing, bool with_axes) {
    EXPECT_EQ(export_page({"--label.axes", with_axes ? "true" : "false"}).status, 0);
    const std::string page = text_of(file("out"));
    std::filesystem::remove(file("out"));
    const std::string mark = "id=\"data\">";
    const auto begin = page.find(mark) + mark.size();
    const json data = json::parse(page.substr(begin, page.find('<', begin) - begin));
    std::vector<json> rows;
    const int count = static_cast<int>(data["items"].size());
    for (int i = 0; i < count; ++i) {
      const json& item = data["items"][static_cast<std::size_t>(i)];
      const bool complete = i < count - missing;
      const json ratings = {{"overall", 4}, {"accuracy", 4}, {"coverage", 4}, {"coherence", 4}};
      rows.push_back({{"format", data["format"]},
                      {"page", data["page"]},
                      {"pairs", data["pairs"]},
                      {"first", data["first"]},
                      {"count", count},
                      {"pair", item["pair"]},
                      {"left", item["left"]},
                      {"worker", worker},
                      {"downloaded", "2026-11-29T20:01:02.345Z"},
                      {"complete", complete},
                      {"scale", complete ? json(1 + i % 4) : json()},
                      {"lean", nullptr},
                      {"cannot_judge", nullptr},
                      {"axes", with_axes ? json{{"left", ratings}, {"right", ratings}} : json()},
                      {"note", ""},
                      {"seconds", 1}});
    }
    return folder_.file(worker + ".jsonl", to_lines(rows));
  }

  void expect_refused(const Outcome& outcome, int status, const std::string& message) const {
    EXPECT_EQ(outcome.status, status);
    EXPECT_THAT(outcome.output, AllOf(testing::StartsWith("precis: "), HasSubstr(message)));
    EXPECT_FALSE(std::filesystem::exists(file("out")));
    EXPECT_FALSE(std::filesystem::exists(file("out.partial")));
  }

  TemporaryFolder folder_;
};

TEST_F(LabelPeople, SeveralLabelersAreMergedAndWhatIsMissingIsNamed) {
  const std::string ann = answers("ann", 0, false);
  const std::string bob = answers("bob", 11, false);
  const Outcome outcome = import_answers(ann + "," + bob);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("bob has no answer to 11 pairs: " + file("pairs.jsonl") +
                              ":2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1 more."),
                    Not(HasSubstr("ann has no answer")), HasSubstr("13 comparisons written")));
  const Rows rows = read_rows(file("out"));
  ASSERT_EQ(rows.size(), 13U);
  EXPECT_EQ(rows[0]["worker"], "ann");
  EXPECT_EQ(rows[1]["worker"], "bob");
  EXPECT_EQ(rows[0]["info"], rows[1]["info"]);
}

TEST_F(LabelPeople, PreferenceRowsGoOutAndComeBackAsComparisons) {
  std::vector<json> rows;
  for (int i = 0; i < 5; ++i) {
    const std::string n = std::to_string(i);
    rows.push_back({{"prompt", "What is " + n + "?"},
                    {"chosen", " It is " + n + "."},
                    {"rejected", " Nobody knows " + n + "."}});
  }
  (void)folder_.file("pairs.jsonl", to_lines(rows));
  const std::string eve = answers("eve", 0, false);
  const Outcome outcome = import_answers(eve);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  const Rows answered = read_rows(eve);
  const Rows comparisons = read_rows(file("out"));
  ASSERT_EQ(comparisons.size(), 5U);
  std::map<std::string, json> by_prompt;
  for (const json& row : comparisons) {
    EXPECT_EQ(row["worker"], "eve");
    by_prompt[row["info"]["prompt"]] = row;
  }
  for (const json& row : rows) {
    const json& back = by_prompt.at(row["prompt"]);
    const auto side = [&](int k) { return back["summaries"][static_cast<std::size_t>(k)]["text"]; };
    EXPECT_EQ((std::set<std::string>{side(0), side(1)}),
              (std::set<std::string>{row["chosen"], row["rejected"]}));
  }
  // Judged anew: what the scale says counts, not which text was the chosen one.
  EXPECT_TRUE(std::ranges::all_of(
      comparisons, [](const json& row) { return row["extra"]["confidence"].is_number_integer(); }));
  // And they are what `label audit` reads.
  EXPECT_EQ(label({"audit", "--input", file("out")}).status, 0);
}

TEST_F(LabelPeople, RatingsAreWrittenWhereAsked) {
  const std::string cal = answers("cal", 0, true);
  EXPECT_THAT(import_answers(cal).output,
              HasSubstr("12 answers also have ratings, which were not written: give --axes FILE"));
  std::filesystem::remove(file("out"));
  EXPECT_EQ(import_answers(cal, {"--axes", file("axes")}).status, 0);
  EXPECT_EQ(lines_of(file("axes")), 24);
  std::filesystem::remove(file("out"));
  expect_refused(import_answers(answers("dan", 0, false), {"--axes", file("none")}), 1,
                 "the pages were exported without label.axes");
  EXPECT_FALSE(std::filesystem::exists(file("none")));
}

TEST_F(LabelPeople, APageDownloadedAgainCountsOnce) {
  const std::string first = answers("ann", 2, false);
  Rows later = read_rows(answers("later", 0, false));
  for (json& row : later) {
    row["worker"] = "ann";
    row["downloaded"] = "2026-11-29T21:00:00.000Z";
  }
  later[0]["scale"] = 9;
  const std::string second = folder_.file("ann2.jsonl", to_lines(later));
  for (const std::string& order : {first + "," + second, second + "," + first}) {
    const Outcome outcome = import_answers(order);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_THAT(
        outcome.output,
        AllOf(HasSubstr("ann: 9 answers came again in another download and count once."),
              HasSubstr("ann: 1 answer of an earlier download is replaced by what the later"),
              HasSubstr("12 comparisons written")));
  }
  const std::string both = text_of(file("out"));
  EXPECT_EQ(import_answers(second).status, 0);
  EXPECT_EQ(text_of(file("out")), both) << "the first download adds nothing";
}

TEST_F(LabelPeople, WhatCannotBeJudgedIsCountedAndNoComparison) {
  Rows rows = read_rows(answers("ann", 0, false));
  for (const std::size_t i : {0U, 5U}) {
    rows[i]["scale"] = nullptr;
    rows[i]["cannot_judge"] = i == 0 ? "unclear" : "upsetting";
  }
  const std::string ann = folder_.file("ann.jsonl", to_lines(rows));
  const Outcome outcome = import_answers(ann);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("2 answers say that the pair cannot be judged (1 "
                                              "unclear, 1 upsetting) and are no comparison"),
                                    HasSubstr("10 comparisons written")));
  EXPECT_EQ(import_answers(ann, {"--unjudged", file("unjudged")}).status, 0);
  const Rows unjudged = read_rows(file("unjudged"));
  ASSERT_EQ(unjudged.size(), 2U);
  EXPECT_EQ(unjudged[1]["cannot_judge"], "upsetting");
  EXPECT_FALSE(unjudged[1].contains("choice"));
  // What is left can be audited.
  const Outcome audit = label({"audit", "--input", file("out")});
  EXPECT_EQ(audit.status, 0) << audit.output;

  std::filesystem::remove(file("out"));
  rows.resize(1);
  folder_.file("ann.jsonl", to_lines(rows));
  expect_refused(import_answers(ann), 1,
                 "No pair was judged: one answer says that it cannot be (1 unclear).");
}

TEST_F(LabelPeople, ThePageTakesTitleInstructionsAndAPart) {
  folder_.file("how.txt", "Read <b>well</b>.");
  const Outcome outcome = export_page({"--label.first", "11", "--label.limit", "5", "--label.title",
                                       "Round 2", "--label.instructions", file("how.txt")});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("2 of the 12 pairs"));
  EXPECT_THAT(text_of(file("out")), AllOf(HasSubstr("\"title\":\"Round 2\""),
                                          HasSubstr("Read \\u003cb>well\\u003c/b>.")));
}

TEST_F(LabelPeople, MistakesAreNamedAndNothingIsLeft) {
  expect_refused(export_page({"--label.first", "13"}), 2, "label.first is 13");
  expect_refused(export_page({"--label.first", "0"}), 2, "--label.first is '0'");
  expect_refused(export_page({"--label.instructions", file("none")}), 1, "none");
  folder_.file("latin.txt", "caf\xE9");
  expect_refused(export_page({"--label.instructions", file("latin.txt")}), 1,
                 "latin.txt: byte 4 is not UTF-8");
  expect_refused(import_answers(file("pairs.jsonl")), 1, "pairs.jsonl:1: this is a comparison");
  const std::string ann = answers("ann", 0, false);
  expect_refused(label({"import", "--input", ann, "--pairs", ann, "--output", file("out")}), 1,
                 "ann.jsonl:1: this is an answer of a page");
  folder_.file("pairs.jsonl", to_lines(made_pairs(11)));
  expect_refused(import_answers(ann), 1, "of a page that was made from other pairs");
  expect_refused(import_answers(file("none*")), 1, "no file matches");
}

}  // namespace
}  // namespace precis::test
