#include "feedback/simulated_labeler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "feedback/pairs.hpp"
#include "synthetic/rows.hpp"

namespace precis {
namespace {

using Summaries = std::array<Quality, 2>;

constexpr std::uint64_t trials = 20'000;

Summaries with_gold(double first, double second) {
  return {Quality{.gold = first, .blind = first, .words = 10},
          Quality{.gold = second, .blind = second, .words = 10}};
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// That the labeler chooses the second with this probability, within four standard deviations.
void expect_second(const Summaries& summaries, const Labeler& labeler, double probability) {
  double second = 0;
  for (std::uint64_t pair = 0; pair < trials; ++pair) {
    second += judge(summaries, labeler, 1, {.number = pair}).choice;
  }
  const double deviation = std::sqrt(probability * (1 - probability) / trials);
  EXPECT_NEAR(second / trials, probability, 4 * deviation) << labeler.worker;
}

TEST(SimulatedLabeler, PrefersTheBetterAsBradleyAndTerrySay) {
  expect_second(with_gold(0.5, 0.75), {.worker = "a"}, sigmoid(0.25 / 0.15));
  expect_second(with_gold(0.5, 0.25), {.worker = "a", .temperature = 0.5}, sigmoid(-0.5));
}

TEST(SimulatedLabeler, WithoutTemperatureItIsGoldAndWithoutReliabilityACoin) {
  expect_second(with_gold(0.5, 0.625), {.worker = "a", .temperature = 0}, 1);
  expect_second(with_gold(0.625, 0.5), {.worker = "a", .temperature = 0}, 0);
  expect_second(with_gold(0.5, 0.5), {.worker = "a", .temperature = 0}, 0.5);
  expect_second(with_gold(-1, 1), {.worker = "a", .temperature = 0, .reliability = 0}, 0.5);
  expect_second(with_gold(-1, 1), {.worker = "a", .temperature = 0, .reliability = 0.7}, 0.85);
}

TEST(SimulatedLabeler, LengthCountsByItsLogarithm) {
  Summaries summaries = with_gold(0.5, 0.5);
  summaries[1].words = 20;
  expect_second(summaries, {.worker = "a", .temperature = 1, .length_bonus = 1}, 2.0 / 3);
  expect_second(summaries, {.worker = "a", .temperature = 1, .length_bonus = 2}, 4.0 / 5);
  expect_second(summaries, {.worker = "a", .temperature = 1}, 0.5);
  summaries[0].words = 0;  // as one word
  expect_second(summaries, {.worker = "a", .temperature = 1, .length_bonus = 1}, 20.0 / 21);
}

TEST(SimulatedLabeler, TheBlindJudgeByWhatTheSummarySays) {
  Summaries summaries = with_gold(0.5, 0.25);
  summaries[1].blind = 0.5;
  expect_second(summaries, {.worker = "a", .temperature = 0.1, .blindness = 1}, 0.5);
  expect_second(summaries, {.worker = "a", .temperature = 0.125, .blindness = 0.5}, sigmoid(-1));
}

TEST(SimulatedLabeler, TheAdversarialPreferWhatGoldDoesNot) {
  expect_second(with_gold(0.5, 0.75), {.worker = "a", .gold_weight = -1}, sigmoid(-0.25 / 0.15));
  expect_second(with_gold(0.5, 0.75), {.worker = "a", .gold_weight = -0.5}, sigmoid(-0.125 / 0.15));
}

TEST(SimulatedLabeler, DriftLowersTheReliabilityInProportionToTime) {
  const Labeler labeler{.worker = "a", .temperature = 0, .drift = 0.8};
  constexpr std::uint64_t parts = 5;
  for (std::uint64_t part = 0; part < parts; ++part) {
    double right = 0;
    const std::uint64_t count = trials / parts;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t pair = part * count + i;
      const double time = static_cast<double>(pair) / (trials - 1);
      right += judge(with_gold(0, 1), labeler, 1, {.number = pair, .time = time}).choice;
    }
    const double reliability = 1 - 0.8 * (static_cast<double>(part) + 0.5) / parts;
    const double expected = (1 + reliability) / 2;
    const double deviation = std::sqrt(expected * (1 - expected) / static_cast<double>(count));
    EXPECT_NEAR(right / static_cast<double>(count), expected, 4 * deviation) << part;
  }
  // The first pair is judged, the last one of a labeler that drifts all the way is a toss.
  EXPECT_EQ(judge(with_gold(0, 1), labeler, 1, {}).choice, 1);
}

TEST(SimulatedLabeler, ConfidenceIsOnTheSideOfTheChoiceAndGrowsWithTheMargin) {
  std::set<int> seen;
  for (std::uint64_t pair = 0; pair < 2000; ++pair) {
    const double margin = static_cast<double>(pair % 17) / 8 - 1;
    const Judgement judgement = judge(with_gold(0, margin), {.worker = "a"}, 1, {.number = pair});
    seen.insert(judgement.confidence);
    EXPECT_EQ(judgement.confidence > 5, judgement.choice == 1);
  }
  EXPECT_EQ(seen, (std::set<int>{1, 2, 3, 4, 6, 7, 8, 9}));
  EXPECT_EQ(judge(with_gold(0, 2), {.worker = "a", .temperature = 0}, 1, {}).confidence, 9);
  EXPECT_EQ(judge(with_gold(2, 0), {.worker = "a", .temperature = 0}, 1, {}).confidence, 1);
}

TEST(SimulatedLabeler, TheSurerTheChoiceTheMoreOftenItIsGoldsAndMistakesOccurAtAll) {
  std::map<int, int> judged;
  std::map<int, int> right;
  for (std::uint64_t pair = 0; pair < trials; ++pair) {
    const Judgement judgement = judge(with_gold(0, 0.15), {.worker = "a"}, 1, {.number = pair});
    const int strength = std::abs(judgement.confidence - 5);
    ++judged[strength];
    right[strength] += judgement.choice;
  }
  double last = 0.5;
  for (int strength = 1; strength <= 4; ++strength) {
    ASSERT_GT(judged[strength], 100);
    const double share = static_cast<double>(right[strength]) / judged[strength];
    EXPECT_GT(share, last) << strength;
    EXPECT_LT(share, 1) << strength;
    last = share;
  }
}

TEST(SimulatedLabeler, ThePairShownTheOtherWayRoundGetsTheSameJudgement) {
  for (std::uint64_t pair = 0; pair < 200; ++pair) {
    const Labeler labeler{.worker = "a", .reliability = 0.7};
    const Judgement one = judge(with_gold(0.25, 0.5), labeler, 1, {.number = pair});
    const Judgement other =
        judge(with_gold(0.5, 0.25), labeler, 1, {.number = pair, .swapped = true});
    EXPECT_EQ(one.choice, 1 - other.choice) << pair;
    EXPECT_EQ(one.confidence, 10 - other.confidence) << pair;
  }
}

TEST(SimulatedLabeler, TheConfidenceOfATossTellsNothing) {
  std::map<int, int> seen;
  for (std::uint64_t pair = 0; pair < trials; ++pair) {
    const Judgement judgement =
        judge(with_gold(0, 1), {.worker = "a", .reliability = 0}, 1, {.number = pair});
    EXPECT_EQ(judgement.confidence > 5, judgement.choice == 1);
    ++seen[judgement.confidence];
  }
  for (const int confidence : {1, 2, 3, 4, 6, 7, 8, 9}) {
    EXPECT_NEAR(seen[confidence], trials / 8.0, 4 * std::sqrt(trials * 7 / 64.0)) << confidence;
  }
}

TEST(SimulatedLabeler, NoiseDependsOnSeedWorkerAndPairAlone) {
  const auto choices = [](const std::string& worker, std::uint64_t seed) {
    std::string text;
    for (std::uint64_t pair = 0; pair < 64; ++pair) {
      text += judge(with_gold(0.5, 0.5), {.worker = worker}, seed, {.number = pair}).choice == 1
                  ? '1'
                  : '0';
    }
    return text;
  };
  EXPECT_EQ(choices("a", 1), choices("a", 1));
  EXPECT_NE(choices("a", 1), choices("b", 1));
  EXPECT_NE(choices("a", 1), choices("a", 2));
}

TEST(SimulatedLabeler, AtTheUsualTemperatureItMostlyAgreesWithGold) {
  const auto rows = synthetic_rows(2000);
  const auto drawn =
      draw_pairs(rows, {mediocre_policy(2000, 2)}, {.pairs = 1800, .reference_share = 0}, 1);
  int told_apart = 0;
  int agreed = 0;
  for (std::size_t i = 0; i < drawn.pairs.size(); ++i) {
    const auto summaries = qualities_of(drawn.pairs[i]);
    ASSERT_TRUE(summaries.has_value());
    const auto& [a, b] = *summaries;
    const int choice = judge(*summaries, {.worker = "a"}, 1, {.number = i}).choice;
    if (a.gold != b.gold) {
      ++told_apart;
      agreed += (b.gold > a.gold) == (choice == 1) ? 1 : 0;
    }
  }
  const double agreement = static_cast<double>(agreed) / told_apart;
  RecordProperty("agreement", std::to_string(agreement));
  EXPECT_GT(agreement, 0.78);
  EXPECT_LT(agreement, 0.92);
}

TEST(Quality, OfAWrongFactIsToTheBlindThatOfTheRightOne) {
  const auto drawn = draw_pairs(synthetic_rows(300), {}, {.contrast_share = 1}, 1);
  for (const Comparison& pair : drawn.pairs) {
    const auto summaries = qualities_of(pair);
    ASSERT_TRUE(summaries.has_value());
    const std::size_t worse = pair.notes[0].empty() ? 1 : 0;
    EXPECT_LT((*summaries)[worse].gold, (*summaries)[1 - worse].gold);
    EXPECT_EQ((*summaries)[worse].blind, (*summaries)[1 - worse].gold);
    EXPECT_EQ((*summaries)[1 - worse].blind, (*summaries)[1 - worse].gold);
  }
}

TEST(Quality, IsOfSamplesThatEndedAndOfPostsThatGoldCanRead) {
  Comparison pair;
  pair.post.body =
      "My boss lost my bike at the farm in June. My boss is 40 years old. I feel sad about it. "
      "Should I call them?";
  pair.summaries = {" My boss lost my bike.", " My boss lost my bike."};
  pair.notes = {"", "length"};
  const auto summaries = qualities_of(pair);
  ASSERT_TRUE(summaries.has_value());
  EXPECT_EQ((*summaries)[0].gold, 2.0 / 8);
  EXPECT_EQ((*summaries)[1].gold, (2.0 - 4) / 8);
  EXPECT_EQ((*summaries)[0].words, 5);
  pair.post.body = "Call me Ishmael.";
  EXPECT_FALSE(qualities_of(pair).has_value());
}

TEST(AssignLabelers, EachPairHasDifferentOnesAndEachLabelerAsMany) {
  for (const auto& [labelers, per_pair] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {8, 1}, {8, 3}, {5, 4}, {7, 7}, {10, 6}}) {
    std::vector<int> judgements(labelers);
    std::set<std::set<std::size_t>> together;
    for (const auto& of_pair : assign_labelers(1001, labelers, per_pair, 3)) {
      const std::set<std::size_t> different(of_pair.begin(), of_pair.end());
      EXPECT_EQ(of_pair.size(), per_pair);
      EXPECT_EQ(different.size(), per_pair);
      EXPECT_LT(*different.rbegin(), labelers);
      for (const std::size_t labeler : of_pair) {
        ++judgements[labeler];
      }
      together.insert(different);
    }
    const auto [least, most] = std::minmax_element(judgements.begin(), judgements.end());
    EXPECT_LE(*most - *least, 1) << labelers << " labelers, " << per_pair << " a pair";
    if (labelers == 8 && per_pair == 3) {
      EXPECT_EQ(together.size(), 56U);  // all of them
    }
  }
  EXPECT_EQ(assign_labelers(50, 6, 2, 1), assign_labelers(50, 6, 2, 1));
  EXPECT_NE(assign_labelers(50, 6, 2, 1), assign_labelers(50, 6, 2, 2));
}

}  // namespace
}  // namespace precis
