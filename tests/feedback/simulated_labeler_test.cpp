#include "feedback/simulated_labeler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/error.hpp"
#include "feedback/summary.hpp"
#include "feedback/synthetic_post.hpp"

namespace precis {
namespace {

std::vector<GoldRow> synthetic_rows(std::size_t count) {
  std::vector<GoldRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    const SyntheticRow source = synthesize_row(4, i, {});
    rows[i].id = source.id;
    rows[i].facts = source.facts;
    rows[i].row.post = {
        .id = source.id, .subreddit = source.subreddit, .title = source.title, .body = source.post};
    rows[i].row.summary = source.summary;
  }
  return rows;
}

// A policy that has learned the references' habits, faults included, and sometimes does not end.
PolicySamples mediocre_policy(const std::vector<GoldRow>& rows, std::uint64_t each) {
  PolicySamples policy{.policy = "sft", .samples = {}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& samples = policy.samples.emplace_back();
    for (std::uint64_t k = 0; k < each; ++k) {
      RandomStream random(k, Purpose::testing, i);
      const Facts stated = with_faults(rows[i].facts, {.invent = 0.1}, random);
      samples.push_back({.response = " " + write_summary(stated, random),
                         .ended = random.chance(0.95),
                         .index = static_cast<std::int64_t>(k)});
    }
  }
  return policy;
}

TEST(SimulatedLabeler, PrefersTheBetterAsBradleyAndTerrySay) {
  const LabelerOptions options{.worker = "a"};
  const int pairs = 20'000;
  int second = 0;
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    second += judge({0.5, 0.75}, options, 1, pair).choice;
  }
  const double expected = 1 / (1 + std::exp(-0.25 / 0.15));
  EXPECT_NEAR(static_cast<double>(second) / pairs, expected, 0.01);
}

TEST(SimulatedLabeler, WithoutTemperatureItIsGoldAndWithoutReliabilityACoin) {
  int heads = 0;
  for (std::uint64_t pair = 0; pair < 2000; ++pair) {
    EXPECT_EQ(judge({0.5, 0.625}, {.worker = "a", .temperature = 0}, 1, pair).choice, 1);
    EXPECT_EQ(judge({0.625, 0.5}, {.worker = "a", .temperature = 0}, 1, pair).choice, 0);
    heads += judge({-1, 1}, {.worker = "a", .temperature = 0, .reliability = 0}, 1, pair).choice;
  }
  EXPECT_NEAR(heads, 1000, 120);
}

TEST(SimulatedLabeler, ConfidenceIsOnTheSideOfTheChoiceAndGrowsWithTheMargin) {
  std::set<int> seen;
  for (std::uint64_t pair = 0; pair < 2000; ++pair) {
    const double margin = static_cast<double>(pair % 17) / 8 - 1;
    const Judgement judgement = judge({0, margin}, {.worker = "a"}, 1, pair);
    seen.insert(judgement.confidence);
    EXPECT_EQ(judgement.confidence > 5, judgement.choice == 1);
  }
  EXPECT_EQ(seen, (std::set<int>{1, 2, 3, 4, 6, 7, 8, 9}));
  EXPECT_EQ(judge({0, 2}, {.worker = "a"}, 1, 0).confidence, 9);
  EXPECT_EQ(judge({2, 0}, {.worker = "a"}, 1, 0).confidence, 1);
}

TEST(SimulatedLabeler, NoiseDependsOnSeedWorkerAndPairAlone) {
  const auto choices = [](const std::string& worker, std::uint64_t seed) {
    std::string text;
    for (std::uint64_t pair = 0; pair < 64; ++pair) {
      text += judge({0.5, 0.5}, {.worker = worker}, seed, pair).choice == 1 ? '1' : '0';
    }
    return text;
  };
  EXPECT_EQ(choices("a", 1), choices("a", 1));
  EXPECT_NE(choices("a", 1), choices("b", 1));
  EXPECT_NE(choices("a", 1), choices("a", 2));
}

TEST(DrawPairs, SharesSplitsAndTextsAreAsAskedFor) {
  const auto rows = synthetic_rows(2000);
  const std::vector<PolicySamples> policies = {mediocre_policy(rows, 4)};
  const auto drawn =
      draw_pairs(rows, policies, {.pairs = 4000, .contrast_share = 0.2, .valid_share = 0.1}, 1);
  ASSERT_EQ(drawn.pairs.size(), 4000U);
  std::map<PairKind, int> kinds;
  std::map<std::size_t, bool> valid;
  std::map<std::size_t, int> pairs_of_row;
  int first_is_reference = 0;
  for (const auto& pair : drawn.pairs) {
    ++kinds[pair.kind];
    ++pairs_of_row[pair.row];
    EXPECT_EQ(valid.emplace(pair.row, pair.valid).first->second, pair.valid);
    EXPECT_NE(pair.candidates[0].text, pair.candidates[1].text);
    for (const auto& candidate : pair.candidates) {
      EXPECT_TRUE(candidate.text.starts_with(" "));
      EXPECT_EQ(candidate.note == "length", !candidate.gold.ended);
    }
    if (pair.kind == PairKind::reference) {
      EXPECT_NE(pair.candidates[0].policy == "ref", pair.candidates[1].policy == "ref");
      first_is_reference += pair.candidates[0].policy == "ref" ? 1 : 0;
    }
  }
  // Four standard deviations; identical pairs, which were skipped, must not shift the shares.
  EXPECT_GT(drawn.identical, 0);
  EXPECT_NEAR(kinds[PairKind::contrast], 800, 102);
  EXPECT_NEAR(kinds[PairKind::reference], 3200 / 3.0, 112);
  EXPECT_NEAR(first_is_reference, kinds[PairKind::reference] / 2.0, 80);
  int valid_rows = 0;
  for (const auto& [row, is_valid] : valid) {
    valid_rows += is_valid ? 1 : 0;
  }
  EXPECT_NEAR(valid_rows, 200, 10);
  EXPECT_GT(pairs_of_row.size(), 1950U);
}

TEST(DrawPairs, ContrastPairsDifferInOneWrongFact) {
  const auto rows = synthetic_rows(300);
  const auto drawn = draw_pairs(rows, {}, {.contrast_share = 1}, 1);
  ASSERT_EQ(drawn.pairs.size(), 300U);
  for (const auto& pair : drawn.pairs) {
    const auto& [a, b] = pair.candidates;
    const bool first_is_wrong = !a.note.empty();
    const auto& right = first_is_wrong ? b : a;
    const auto& wrong = first_is_wrong ? a : b;
    EXPECT_EQ(right.gold.wrong, 0);
    EXPECT_EQ(wrong.gold.wrong, 1);
    EXPECT_EQ(wrong.gold.right + 1, right.gold.right);
    EXPECT_EQ(wrong.gold.words, right.gold.words);
    EXPECT_TRUE(wrong.note.starts_with("invents "));
  }
}

TEST(DrawPairs, ALabelerAtTheUsualTemperatureMostlyAgreesWithGold) {
  const auto rows = synthetic_rows(2000);
  const auto drawn =
      draw_pairs(rows, {mediocre_policy(rows, 2)}, {.pairs = 1800, .reference_share = 0}, 1);
  int told_apart = 0;
  int agreed = 0;
  for (std::size_t i = 0; i < drawn.pairs.size(); ++i) {
    const auto& [a, b] = drawn.pairs[i].candidates;
    const int choice = judge({a.gold.overall, b.gold.overall}, {.worker = "a"}, 1, i).choice;
    if (a.gold.overall != b.gold.overall) {
      ++told_apart;
      agreed += (b.gold.overall > a.gold.overall) == (choice == 1) ? 1 : 0;
    }
  }
  const double agreement = static_cast<double>(agreed) / told_apart;
  RecordProperty("agreement", std::to_string(agreement));
  EXPECT_GT(agreement, 0.78);
  EXPECT_LT(agreement, 0.92);
}

TEST(DrawPairs, IdenticalTextsAreSkippedAndCounted) {
  const auto rows = synthetic_rows(10);
  PolicySamples policy{.policy = "sft", .samples = {}};
  for (const auto& row : rows) {
    const SampledSummary same{.response = " " + row.row.summary, .ended = true, .index = 0};
    policy.samples.push_back({same, same});
  }
  const auto drawn = draw_pairs(rows, {policy}, {}, 1);
  EXPECT_TRUE(drawn.pairs.empty());
  EXPECT_GE(drawn.identical, 10);
}

TEST(DrawPairs, SharesThatTheSamplesCannotFillAreRefused) {
  const auto rows = synthetic_rows(3);
  EXPECT_THROW((void)draw_pairs(rows, {}, {}, 1), UsageError);
  EXPECT_THROW((void)draw_pairs(rows, {mediocre_policy(rows, 1)}, {}, 1), UsageError);
  EXPECT_NO_THROW((void)draw_pairs(rows, {mediocre_policy(rows, 1)}, {.reference_share = 1}, 1));
  EXPECT_THROW((void)draw_pairs(rows, {mediocre_policy(rows, 2)}, {.reference_share = 2}, 1),
               UsageError);
}

TEST(ComparisonJson, IsOpenAisSchema) {
  const auto rows = synthetic_rows(1);
  CandidatePair pair;
  pair.candidates[0] = {.text = " a", .policy = "sft", .note = "length", .gold = {}};
  pair.candidates[1] = {.text = " b", .policy = "ref", .note = "", .gold = {}};
  const auto json =
      comparison_json(rows[0], pair, {.choice = 1, .confidence = 7}, "gold-0.15", "x");
  EXPECT_EQ(json["info"]["id"], rows[0].id);
  EXPECT_EQ(json["info"]["post"], rows[0].row.post.body);
  EXPECT_EQ(json["info"]["title"], rows[0].row.post.title);
  EXPECT_EQ(json["info"]["subreddit"], rows[0].row.post.subreddit);
  ASSERT_EQ(json["summaries"].size(), 2U);
  EXPECT_EQ(json["summaries"][0].dump(), R"({"text":" a","policy":"sft","note":"length"})");
  EXPECT_EQ(json["summaries"][1].dump(), R"({"text":" b","policy":"ref","note":null})");
  EXPECT_EQ(json["choice"], 1);
  EXPECT_EQ(json["worker"], "gold-0.15");
  EXPECT_EQ(json["batch"], "x");
  EXPECT_EQ(json["split"], "train");
  EXPECT_EQ(json["extra"]["confidence"], 7);
}

}  // namespace
}  // namespace precis
