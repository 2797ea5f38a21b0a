#include "feedback/pairs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/random.hpp"
#include "feedback/comparison_json.hpp"
#include "feedback/simulated_labeler.hpp"
#include "support/expect_error.hpp"
#include "synthetic/rows.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

// Four standard deviations of a count with this probability.
double four_deviations(double trials, double probability) {
  return 4 * std::sqrt(trials * probability * (1 - probability));
}

TEST(DrawPairs, SharesSplitsAndTextsAreAsAskedFor) {
  const auto rows = synthetic_rows(2000);
  const auto drawn = draw_pairs(rows, {mediocre_policy(2000, 4)},
                                {.pairs = 4000, .contrast_share = 0.2, .valid_share = 0.1}, 1);
  ASSERT_EQ(drawn.pairs.size(), 4000U);
  std::map<PairKind, int> kinds;
  std::map<std::string, std::string> splits;
  std::map<std::string, int> pairs_of_row;
  int first_is_reference = 0;
  for (const Comparison& pair : drawn.pairs) {
    ++kinds[kind_of(pair)];
    ++pairs_of_row[pair.post.id];
    EXPECT_EQ(splits.emplace(pair.post.id, pair.split).first->second, pair.split);
    EXPECT_NE(pair.summaries[0], pair.summaries[1]);
    for (const std::string& summary : pair.summaries) {
      EXPECT_TRUE(summary.starts_with(" "));
    }
    if (kind_of(pair) == PairKind::reference) {
      EXPECT_NE(pair.policies[0] == "ref", pair.policies[1] == "ref");
      first_is_reference += pair.policies[0] == "ref" ? 1 : 0;
    }
  }
  // Identical pairs, which were skipped, must not shift the shares.
  EXPECT_GT(drawn.identical, 0);
  EXPECT_NEAR(kinds[PairKind::contrast], 800, four_deviations(4000, 0.2));
  EXPECT_NEAR(kinds[PairKind::reference], 3200 / 3.0, 112);
  EXPECT_NEAR(first_is_reference, kinds[PairKind::reference] / 2.0, 80);
  int valid_rows = 0;
  for (const auto& [row, split] : splits) {
    valid_rows += split == "valid1" ? 1 : 0;
  }
  EXPECT_NEAR(valid_rows, 200, 10);
  EXPECT_GT(pairs_of_row.size(), 1950U);
}

TEST(DrawPairs, NotesSayWhichSampleDidNotEnd) {
  const auto rows = synthetic_rows(300);
  const PolicySamples policy = mediocre_policy(300, 2);
  std::map<std::pair<std::string, std::string>, bool> ended;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const auto& sample : policy.samples[i]) {
      ended[{rows[i].id(), sample.response}] = sample.ended;
    }
  }
  int unended = 0;
  for (const auto& pair : draw_pairs(rows, {policy}, {.reference_share = 0}, 1).pairs) {
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(pair.notes[k].empty(), (ended.at({pair.post.id, pair.summaries[k]})));
      unended += pair.notes[k] == "length" ? 1 : 0;
    }
  }
  EXPECT_GT(unended, 0);
}

TEST(DrawPairs, ContrastPairsDifferInOneWrongFact) {
  const auto rows = synthetic_rows(300);
  const auto drawn = draw_pairs(rows, {}, {.contrast_share = 1}, 1);
  ASSERT_EQ(drawn.pairs.size(), 300U);
  for (const Comparison& pair : drawn.pairs) {
    const auto facts = read_post(pair.post.body);
    const std::size_t worse = pair.notes[0].empty() ? 1 : 0;
    const GoldScore right = gold_score(*facts, pair.summaries[1 - worse], true);
    const GoldScore wrong = gold_score(*facts, pair.summaries[worse], true);
    EXPECT_EQ(right.wrong, 0);
    EXPECT_EQ(wrong.wrong, 1);
    EXPECT_EQ(wrong.right + 1, right.right);
    EXPECT_EQ(wrong.words, right.words);
    EXPECT_TRUE(pair.notes[worse].starts_with("invents "));
    EXPECT_TRUE(pair.notes[1 - worse].empty());
  }
}

TEST(DrawPairs, AMixGivesEachPairOfPoliciesItsShare) {
  const std::size_t count = 3000;
  const auto rows = synthetic_rows(count);
  const std::vector<PolicySamples> policies = {mediocre_policy(count, 4),
                                               mediocre_policy(count, 1, "best-of-16"),
                                               mediocre_policy(count, 4, "sft-t0.7")};
  const auto mix = parse_mix(
      {"ref/sft=1", "sft/sft=2", "best-of-16 / sft = 1", "sft-t0.7/ref=4", "ref/best-of-16=0"});
  const auto drawn = draw_pairs(rows, policies, {.pairs = 4000, .mix = mix}, 7);
  ASSERT_EQ(drawn.pairs.size(), 4000U);
  EXPECT_GT(drawn.identical, 0);
  std::map<std::set<std::string>, int> found;
  for (const Comparison& pair : drawn.pairs) {
    ++found[{pair.policies.begin(), pair.policies.end()}];
  }
  const std::map<std::set<std::string>, double> expected = {{{"ref", "sft"}, 1.0 / 8},
                                                            {{"sft"}, 2.0 / 8},
                                                            {{"best-of-16", "sft"}, 1.0 / 8},
                                                            {{"ref", "sft-t0.7"}, 4.0 / 8}};
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [names, share] : expected) {
    EXPECT_NEAR(found[names], 4000 * share, four_deviations(4000, share)) << *names.begin();
  }
}

TEST(DrawPairs, FilesOfOneNameAreOnePolicy) {
  const auto rows = synthetic_rows(200);
  PolicySamples more = mediocre_policy(200, 1, "another");
  more.policy = "sft";
  const auto drawn =
      draw_pairs(rows, {mediocre_policy(200, 1), more}, {.mix = parse_mix({"sft/sft=1"})}, 1);
  EXPECT_GT(drawn.pairs.size(), 150U);
}

TEST(DrawPairs, RealPostsAndArticlesNeedNoGold) {
  std::vector<SummaryRow> rows(2);
  rows[0].post = {.id = "a", .subreddit = "s", .title = "t", .body = "b"};
  rows[1].line = 2;
  rows[1].post.body = "News.";
  rows[1].post.kind = PostKind::article;
  rows[0].summary = rows[1].summary = "own";
  const PolicySamples policy{
      .policy = "sft", .samples = {{{.response = " x", .ended = true}}, {{.response = " y"}}}};
  const auto drawn = draw_pairs(rows, {policy}, {.reference_share = 1, .valid_share = 0}, 1);
  ASSERT_EQ(drawn.pairs.size(), 2U);
  const auto& article = drawn.pairs[drawn.pairs[0].post.kind == PostKind::article ? 0 : 1];
  EXPECT_EQ(pair_json(article)["info"].dump(), R"({"id":"1","article":"News."})");
  EXPECT_THAT(
      message_of<Error>([&] { (void)draw_pairs(rows, {policy}, {.contrast_share = 1}, 1); }),
      HasSubstr("not one that `precis synthesize` writes"));
}

TEST(DrawPairs, IdenticalTextsAreSkippedAndCounted) {
  const auto rows = synthetic_rows(10);
  PolicySamples policy{.policy = "sft", .samples = {}};
  for (const auto& row : rows) {
    const SampledSummary same{.response = " " + row.summary, .ended = true, .index = 0};
    const SampledSummary blank{.response = same.response + " ", .ended = true, .index = 1};
    policy.samples.push_back({same, blank});
  }
  const auto drawn = draw_pairs(rows, {policy}, {}, 1);
  EXPECT_TRUE(drawn.pairs.empty());
  EXPECT_GE(drawn.identical, 10);
}

TEST(DrawPairs, WhatRanOutIsNamed) {
  const auto rows = synthetic_rows(50);
  const std::vector<PolicySamples> policies = {mediocre_policy(50, 1),
                                               mediocre_policy(50, 4, "ppo")};
  const auto mix = parse_mix({"sft/ref=4", "ppo/ref=1"});
  EXPECT_EQ(draw_pairs(rows, policies, {.pairs = 30, .mix = mix}, 1).ran_out, "");
  const auto drawn = draw_pairs(rows, policies, {.pairs = 200, .mix = mix}, 1);
  EXPECT_LT(drawn.pairs.size(), 200U);
  EXPECT_EQ(drawn.ran_out, "sft and ref");
}

TEST(DrawPairs, WhatTheSamplesCannotFillIsRefused) {
  const auto rows = synthetic_rows(3);
  const auto refused = [&](std::vector<PolicySamples> policies, const PairOptions& options) {
    return message_of<UsageError>([&] { (void)draw_pairs(rows, policies, options, 1); });
  };
  const auto one = mediocre_policy(3, 1);
  EXPECT_THAT(refused({}, {}), HasSubstr("need samples"));
  EXPECT_THAT(refused({one}, {}), HasSubstr("--sampling.n 2"));
  EXPECT_NO_THROW((void)draw_pairs(rows, {one}, {.reference_share = 1}, 1));
  EXPECT_THAT(refused({mediocre_policy(3, 2)}, {.reference_share = 2}), HasSubstr("share"));
  EXPECT_THAT(refused({one}, {.mix = parse_mix({"ppo/sft=1"})}),
              HasSubstr("names the policy ppo, but the known ones are ref, sft"));
  EXPECT_THAT(refused({one}, {.mix = parse_mix({"sft/sft=1"})}),
              HasSubstr("one sample of sft of each post"));
  EXPECT_NO_THROW((void)draw_pairs(rows, {one}, {.mix = parse_mix({"sft/ref=1"})}, 1));
  EXPECT_THAT(refused({mediocre_policy(3, 2, "ref")}, {}), HasSubstr("is named ref"));
  EXPECT_THAT(refused({mediocre_policy(3, 2, "contrast")}, {}), HasSubstr("is named contrast"));
}

TEST(ParseMix, RefusesWhatIsNotTwoPoliciesAndAWeight) {
  for (const char* wrong : {"sft", "ref/sft", "ref=1", "ref/sft=", "ref/sft=-1", "ref/sft=1x",
                            "ref/sft=nan", "/sft=1", "ref/=1", "ref=1/sft"}) {
    EXPECT_THAT(message_of<UsageError>([&] { (void)parse_mix({wrong}); }), HasSubstr(wrong));
  }
  EXPECT_THAT(message_of<UsageError>([] { (void)parse_mix({"ref/ref=1"}); }), HasSubstr("own"));
  EXPECT_THAT(message_of<UsageError>([] {
                (void)parse_mix({"a/b=1", "b/a=1"});
              }),
              HasSubstr("twice"));
  EXPECT_THAT(message_of<UsageError>([] { (void)parse_mix({"a/b=0"}); }), HasSubstr("positive"));
}

TEST(NameBatches, AreConsecutiveAndOfEqualSize) {
  std::vector<Comparison> pairs(10);
  name_batches(pairs, "b", 1);
  EXPECT_EQ(pairs[9].batch, "b");
  name_batches(pairs, "b", 3);
  std::vector<std::string> names;
  for (const auto& pair : pairs) {
    names.push_back(pair.batch);
  }
  EXPECT_THAT(names, testing::ElementsAre("b-1", "b-1", "b-1", "b-1", "b-2", "b-2", "b-2", "b-3",
                                          "b-3", "b-3"));
}

TEST(ComparisonJson, IsOpenAisSchema) {
  Comparison pair;
  pair.post = {.id = "i", .subreddit = "s", .title = "t", .body = "b"};
  pair.summaries = {" a", " b"};
  pair.policies = {"sft", "ref"};
  pair.notes = {"length", ""};
  pair.batch = "x";
  pair.split = "train";
  EXPECT_EQ(pair_json(pair).dump(),
            R"({"info":{"id":"i","post":"b","title":"t","subreddit":"s"},)"
            R"("summaries":[{"text":" a","policy":"sft","note":"length"},)"
            R"({"text":" b","policy":"ref","note":null}],"batch":"x","split":"train"})");
  pair.choice = 1;
  pair.worker = "ann";
  pair.confidence = 7;
  const auto judged = comparison_json(pair);
  EXPECT_EQ(judged["info"], pair_json(pair)["info"]);
  EXPECT_EQ(judged["summaries"], pair_json(pair)["summaries"]);
  EXPECT_EQ(judged["choice"], 1);
  EXPECT_EQ(judged["worker"], "ann");
  EXPECT_EQ(judged["extra"]["confidence"], 7);
  const Comparison read = parse_comparison({.value = judged, .file = "f", .line = 1});
  EXPECT_EQ(read.notes, pair.notes);
  EXPECT_EQ(read.split, pair.split);
}

}  // namespace
}  // namespace precis
