#include "eval/agreement.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

TEST(Agreement, CountsChoiceAndGoldAndLeavesTiesOfGoldOut) {
  const std::vector<ScoredPair> pairs = {
      {.choice = 1, .rewards = {0, 1}, .gold = {0.5, 1}, .group = "ref-sft"},
      {.choice = 0, .rewards = {0, 1}, .gold = {0.5, 1}, .group = "ref-sft"},
      {.choice = 0, .rewards = {2, 1}, .gold = {1, 1}, .group = "sft-sft"},
      {.choice = 1, .rewards = {1, 1}, .gold = {0, 1}, .group = "sft-sft"},
  };
  const auto result = agreement_of(pairs);
  ASSERT_EQ(result.size(), 3U);
  const Agreement& all = result.at("all");
  EXPECT_EQ(all.choice.pairs, 4);
  EXPECT_EQ(all.choice.agreed, 2.5);  // equal rewards count half, as in training
  EXPECT_EQ(all.ties, 1);
  EXPECT_EQ(all.gold.pairs, 3);
  EXPECT_EQ(all.gold.agreed, 2.5);
  EXPECT_EQ(all.labeler_gold.agreed, 2);
  EXPECT_EQ(result.at("ref-sft").choice.value(), 0.5);
  EXPECT_EQ(result.at("sft-sft").gold.pairs, 1);
  EXPECT_EQ(result.at("sft-sft").gold.agreed, 0.5);
  EXPECT_EQ(result.at("ref-sft").ties, 0);
}

TEST(Agreement, PairsWithoutAGroupAreCountedOnce) {
  const auto result = agreement_of({{.choice = 1, .rewards = {0, 1}, .gold = {0, 1}}});
  ASSERT_EQ(result.size(), 1U);
  EXPECT_EQ(result.at("all").choice.pairs, 1);
}

TEST(Agreement, GoldOfAComparisonIsReadFromItsPost) {
  Comparison comparison;
  comparison.post.body =
      "My boss lost my bike at the farm in June. My boss is 40 years old. I feel sad about it. "
      "Should "
      "I call them?";
  comparison.summaries = {" My boss lost my bike.", " My boss lost my car."};
  comparison.policies = {"sft", "ref"};
  comparison.notes = {"", "length"};
  const auto gold = gold_scores(comparison);
  ASSERT_TRUE(gold);
  EXPECT_EQ((*gold)[0].overall, 2.0 / 8);
  EXPECT_EQ((*gold)[1].overall, (1.0 - 1 - 4) / 8);
  EXPECT_EQ(policy_pair(comparison), "ref-sft");
  comparison.post.body = "Some other post.";
  EXPECT_FALSE(gold_scores(comparison));
}

}  // namespace
}  // namespace precis
