#include "eval/calibration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "eval/reward_report.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

double logit(double p) { return std::log(p / (1 - p)); }

TEST(Calibration, BinsPredictionsByTheirProbability) {
  const std::vector<Prediction> of = {{.margin = logit(0.72), .chosen = 1},
                                      {.margin = logit(0.74), .chosen = 0},
                                      {.margin = logit(0.96), .chosen = 1},
                                      {.margin = 0, .chosen = 0.5, .post = 1}};
  const Calibration found = calibration_of(of);
  EXPECT_EQ(found.bins[4].pairs, 2);
  EXPECT_NEAR(found.bins[4].low, 0.7, 1e-12);
  EXPECT_NEAR(found.bins[4].predicted, 0.73, 1e-12);
  EXPECT_EQ(found.bins[4].chosen.rate, 0.5);
  EXPECT_EQ(found.bins[9].pairs, 1);
  EXPECT_EQ(found.bins[0].pairs, 1);
  EXPECT_NEAR(found.ece, (2 * 0.23 + 0.04 + 0) / 4, 1e-12);
  EXPECT_NEAR(found.brier.mean, (0.28 * 0.28 + 0.74 * 0.74 + 0.04 * 0.04 + 0.25) / 4, 1e-12);
  EXPECT_NEAR(found.log_loss.mean,
              -(std::log(0.72) + std::log(0.26) + std::log(0.96) + std::log(0.5)) / 4, 1e-12);
}

TEST(Calibration, AMarginWithoutBoundsIsSure) {
  const Calibration found = calibration_of(std::vector<Prediction>{{.margin = 800, .chosen = 0}});
  EXPECT_EQ(found.bins[9].pairs, 1);
  EXPECT_EQ(found.log_loss.mean, 800);
  EXPECT_EQ(found.brier.mean, 1);
  EXPECT_EQ(to_json(found)["brier"]["low"].dump(), "null");  // one pair has no interval
}

// Choices drawn with the model's own probabilities; and by a model that is twice too sure.
TEST(Calibration, TellsAModelThatIsTooSure) {
  std::vector<Prediction> honest, too_sure;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    RandomStream random(1, Purpose::testing, i);
    const double margin = 3 * random.uniform();
    const double chosen = random.chance(1 / (1 + std::exp(-margin))) ? 1 : 0;
    honest.push_back({.margin = margin, .chosen = chosen, .post = i});
    too_sure.push_back({.margin = 2 * margin, .chosen = chosen, .post = i});
  }
  EXPECT_LT(calibration_of(honest).ece, 0.015);
  EXPECT_LT(calibration_of(honest).ece, calibration_of(honest).calibrated_high);
  EXPECT_GT(calibration_of(too_sure).ece, calibration_of(too_sure).calibrated_high);
  EXPECT_GT(calibration_of(too_sure).ece, 0.08);
  EXPECT_LT(calibration_of(honest).log_loss.high, calibration_of(too_sure).log_loss.low);
}

// Of one bin with n pairs at one probability p the error is |binomial share - p|.
TEST(Calibration, SaysWhatErrorsACalibratedModelWouldShow) {
  const std::vector<Prediction> of(400, {.margin = logit(0.64), .chosen = 1});
  const Calibration found = calibration_of(of);
  const double deviation = std::sqrt(0.64 * 0.36 / 400);
  EXPECT_NEAR(found.calibrated_high, 2.24 * deviation, 0.2 * deviation);  // 97.5% of |normal|
  EXPECT_LT(found.calibrated_low, 0.12 * deviation);
  EXPECT_NEAR(found.ece, 0.36, 1e-12);
  const std::vector<Prediction> ties(100, {.margin = 0, .chosen = 0.5});
  EXPECT_EQ(calibration_of(ties).calibrated_high, 0);
}

TEST(Calibration, MostCalibratedModelsAreWithinTheRange) {
  constexpr int models = 200;
  int within = 0;
  for (std::uint64_t model = 0; model < models; ++model) {
    RandomStream random(2, Purpose::testing, model);
    std::vector<Prediction> of;
    for (int i = 0; i < 150; ++i) {
      const double margin = 3 * random.uniform();
      of.push_back(
          {.margin = margin, .chosen = random.chance(1 / (1 + std::exp(-margin))) ? 1.0 : 0.0});
    }
    const Calibration found = calibration_of(of);
    within += found.ece >= found.calibrated_low && found.ece <= found.calibrated_high ? 1 : 0;
  }
  EXPECT_NEAR(within, 0.95 * models, 4 * std::sqrt(models * 0.95 * 0.05));
}

TEST(RewardReport, CountsBothOrdersAndEqualRewards) {
  std::vector<Pair> pairs(4);
  const std::vector<std::array<float, 2>> rewards = {{1, 0}, {0, 1}, {0, 1}, {2, 2}};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].comparison.post.body = std::to_string(i);
  }
  pairs[1].comparison.choice = 1;
  pairs[3].comparison.choice = 1;
  const RewardReport report = report_rewards(pairs, rewards);
  const auto json = to_json(report);
  EXPECT_EQ(json["pairs"], 4);
  EXPECT_EQ(json["accuracy"], 0.625);
  EXPECT_EQ(json["ties"], 1);
  EXPECT_THAT(to_text(report), HasSubstr("1 pair has equal rewards"));
  // Korn and Graubard: the variance of 1, 1, 0, 1/2 and t with 3 degrees of freedom; no more trials
  // than pairs.
  const double t = student_975(3);
  const double n = std::min(4.0, 0.625 * 0.375 / (0.6875 / 12));
  const double middle = (0.625 + t * t / (2 * n)) / (1 + t * t / n);
  const double half = t * std::sqrt(0.625 * 0.375 / n + t * t / (4 * n * n)) / (1 + t * t / n);
  EXPECT_NEAR(json["accuracy_low"].get<double>(), middle - half, 1e-9);
  EXPECT_NEAR(json["accuracy_high"].get<double>(), middle + half, 1e-9);
  // Three margins of 1, of which two were chosen, and one of 0.
  EXPECT_EQ(report.calibration.bins[0].pairs, 1);
  EXPECT_EQ(report.calibration.bins[0].chosen.rate, 0.5);
  EXPECT_EQ(report.calibration.bins[4].pairs, 3);
  EXPECT_NEAR(report.calibration.bins[4].chosen.rate, 2.0 / 3, 1e-12);
}

TEST(RewardReport, IsTheSameWithJudgementsAgainAndInAnotherOrder) {
  std::vector<Pair> pairs(30);
  std::vector<std::array<float, 2>> rewards(30);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    Comparison& of = pairs[i].comparison;
    of.post.body = std::to_string(i / 4);
    of.summaries = {" a" + std::to_string(i / 2), " b"};
    of.worker = i % 2 == 0 ? "ann" : "bob";
    of.choice = (i * i) % 3 == 0 ? 0 : 1;
    of.confidence = 1 + static_cast<int>(i % 9);
    rewards[i] = {0.1F * static_cast<float>((i / 2) % 7), 0.3F};
  }
  const RewardReport once = report_rewards(pairs, rewards);
  EXPECT_EQ(once.repeated, 0);
  std::vector<Pair> many;
  std::vector<std::array<float, 2>> of_many;
  for (std::size_t i = 0; i < 16 * pairs.size(); ++i) {
    many.push_back(pairs[(7 * i) % pairs.size()]);
    of_many.push_back(rewards[(7 * i) % pairs.size()]);
  }
  const RewardReport report = report_rewards(many, of_many);
  EXPECT_EQ(report.repeated, 15 * 30);
  EXPECT_EQ(to_json(report), to_json(once));
  EXPECT_EQ(to_text(report), to_text(once));
}

TEST(RewardReport, DuplicatesOfOtherBatchesAndPoliciesDoNotDependOnTheOrder) {
  // ann chooses x over y: written by sft against ppo, by ppo against sft, and again in a later
  // week.
  std::vector<Pair> pairs(3);
  for (Pair& pair : pairs) {
    pair.comparison.summaries = {" x", " y"};
    pair.comparison.policies = {"sft", "ppo"};
    pair.comparison.worker = "ann";
    pair.comparison.batch = "one";
    pair.comparison.confidence = 3;
  }
  pairs[1].comparison.policies = {"ppo", "sft"};
  pairs[2].comparison.batch = "two";
  pairs[2].comparison.confidence = 1;
  const std::vector<std::array<float, 2>> rewards(3, {1, 0});
  const RewardReport report = report_rewards(pairs, rewards);
  EXPECT_EQ(report.repeated, 1);
  EXPECT_EQ(report.by_batch.count("two"), 0U);
  EXPECT_EQ(report.by_policies.at("all").choice.pairs, 2);
  std::reverse(pairs.begin(), pairs.end());
  EXPECT_EQ(to_json(report_rewards(pairs, rewards)).dump(), to_json(report).dump());
}

}  // namespace
}  // namespace precis
