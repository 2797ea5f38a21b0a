#include "eval/policy_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

const std::string post =
    "My boss lost my bike at the farm in June. My boss is 40 years old. I feel sad about it. "
    "Should I call them?";

std::vector<GoldRow> two_rows() {
  std::vector<GoldRow> rows(2);
  for (GoldRow& row : rows) {
    row.facts = read_post(post).value();
    row.row.post.body = post;
    row.row.summary = "My boss lost my bike.";
  }
  return rows;
}

std::vector<std::vector<SampledSummary>> both(const std::string& text) {
  return {{{.response = text, .ended = true, .index = 0}},
          {{.response = text, .ended = true, .index = 0}}};
}

std::string write_lines(const std::string& name, const std::string& lines) {
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(path) << lines;
  return path.string();
}

TEST(PolicyTable, ComparesWithReferencesAndWithTheFirst) {
  const std::vector<JudgedPolicy> policies = {
      {.name = "first", .samples = both(" My boss lost my bike."), .kl = 0},
      {.name = "second", .samples = both(" My boss lost my bike at the farm."), .kl = 1.25}};
  const auto columns = policy_table(two_rows(), policies);
  ASSERT_EQ(columns.size(), 3U);
  EXPECT_EQ(columns[0].name, "references");
  EXPECT_EQ(columns[0].means.gold, 0.25);
  EXPECT_FALSE(columns[0].against_references || columns[0].kl);
  EXPECT_EQ(columns[1].against_references->win_rate.rate, 0.5);
  EXPECT_FALSE(columns[1].against_first);
  EXPECT_EQ(columns[2].means.gold, 0.375);
  EXPECT_EQ(columns[2].against_references->win_rate.rate, 1);
  EXPECT_EQ(columns[2].against_first->win_rate.rate, 1);

  // The first policy is as long as the references, and the second wins everywhere.
  EXPECT_EQ(columns[1].against_references->equal_length.rate->rate, 0.5);
  EXPECT_FALSE(columns[2].against_references->equal_length.rate);
  EXPECT_EQ(columns[2].against_first->equal_length.reason, "second wins every comparison");
  EXPECT_EQ(columns[2].copying.longest_run.mean, 8);
  EXPECT_EQ(columns[0].copying.ngrams[3]->mean, 1);

  const std::string text = to_text(columns);
  EXPECT_THAT(text, HasSubstr("wins against first"));
  EXPECT_THAT(text, HasSubstr("  at equal length"));
  EXPECT_THAT(text, HasSubstr("1.25"));
  EXPECT_THAT(text, HasSubstr("0.375"));
}

TEST(CellText, OfAnyJsonIsANumberOrNone) {
  const auto cell = [](const char* json, const char* field) {
    return cell_text(nlohmann::json::parse(json), {"", field, 2});
  };
  EXPECT_EQ(cell(R"({"a":{"rate":0.5,"low":0.4,"high":0.6}})", "/a"), "0.50 (0.40 to 0.60)");
  EXPECT_EQ(cell(R"({"a":{"mean":1.5,"low":null,"high":null}})", "/a"), "1.50");
  EXPECT_EQ(cell(R"({"a":{"b":[0,3]}})", "/a/b/1"), "3.00");
  for (const char* json :
       {"1", "null", "[]", "{}", R"({"a":null})", R"({"a":"x"})", R"({"a":[]})", R"({"a":1e300})",
        R"({"a":{"rate":"x"}})", R"({"a":{"reason":"none"}})", R"([{"a":1}])"}) {
    EXPECT_EQ(cell(json, "/a"), no_number) << json;
    EXPECT_EQ(cell(json, "/a/b/1"), no_number) << json;
  }
}

TEST(MeanKl, IsTheMeanOfTheSummedDifferences) {
  const auto samples = write_lines("kl_samples.jsonl", R"({"id":"a","logprobs":[-1,-0.5]})"
                                                       "\n"
                                                       R"({"id":"b","logprobs":[-2]})"
                                                       "\n");
  const auto scores = write_lines("kl_scores.jsonl", R"({"id":"a","logprob":-3.5})"
                                                     "\n"
                                                     R"({"id":"b","logprob":-3})"
                                                     "\n");
  EXPECT_EQ(mean_kl(samples, scores), (2.0 + 1.0) / 2);
}

TEST(MeanKl, RefusesFilesThatDoNotBelongTogether) {
  const auto samples = write_lines("kl_samples_a.jsonl", R"({"id":"a","logprobs":[-1]})"
                                                         "\n");
  const auto other = write_lines("kl_scores_b.jsonl", R"({"id":"b","logprob":-1})"
                                                      "\n");
  const auto two = write_lines("kl_scores_two.jsonl", R"({"id":"a","logprob":-1})"
                                                      "\n"
                                                      R"({"id":"a","logprob":-1})"
                                                      "\n");
  const auto reward = write_lines("kl_reward.jsonl", R"({"id":"a","reward":1})"
                                                     "\n");
  EXPECT_THROW((void)mean_kl(samples, other), Error);
  EXPECT_THROW((void)mean_kl(samples, two), Error);
  EXPECT_THROW((void)mean_kl(samples, reward), Error);
}

}  // namespace
}  // namespace precis
