// Weights of stale episodes, by hand.
#include "rlhf/correction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "rlhf/support.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

/// Two responses whose tokens have become 3 and 0.5 times, and 1.5 times as likely.
std::vector<Experience> batch_of_two() {
  const auto episode = [](std::vector<double> weights, std::vector<float> advantages) {
    Experience e;
    for (const double weight : weights) {
      e.episode.rollout_logprobs.push_back(-2.0F);
      e.policy_logprobs.push_back(static_cast<float>(-2.0 + std::log(weight)));
    }
    e.advantages = std::move(advantages);
    return e;
  };
  return {episode({3.0, 0.5}, {1.0F, -2.0F}), episode({1.5}, {4.0F})};
}

auto near(double value) { return FloatNear(static_cast<float>(value), 1e-5F); }

PpoOptions options_of(Correction correction, CorrectionLevel level, double cap) {
  PpoOptions options;
  options.correction = correction;
  options.correction_level = level;
  options.correction_cap = cap;
  return options;
}

TEST(CorrectionOfStaleness, OnTokens) {
  auto batch = batch_of_two();
  const CorrectionReport truncated =
      correct(batch, options_of(Correction::truncate, CorrectionLevel::token, 2));
  EXPECT_THAT(batch[0].corrected_advantages, ElementsAre(near(2.0), near(-1.0)));
  EXPECT_THAT(batch[1].corrected_advantages, ElementsAre(near(6.0)));
  EXPECT_NEAR(truncated.mean, 5.0 / 3, 1e-6) << "before clamping";
  EXPECT_NEAR(truncated.max, 3.0, 1e-6);
  EXPECT_NEAR(truncated.clamped_fraction, 1.0 / 3, 1e-12);

  const CorrectionReport masked =
      correct(batch, options_of(Correction::mask, CorrectionLevel::token, 1.9));
  EXPECT_THAT(batch[0].corrected_advantages, ElementsAre(0.0F, 0.0F)) << "3 > 1.9, 0.5 < 1 / 1.9";
  EXPECT_THAT(batch[1].corrected_advantages, ElementsAre(near(6.0)));
  EXPECT_NEAR(masked.clamped_fraction, 2.0 / 3, 1e-12);
}

TEST(CorrectionOfStaleness, OnSequences) {
  auto batch = batch_of_two();
  // Both responses are 1.5 times as likely as a whole.
  const CorrectionReport report =
      correct(batch, options_of(Correction::truncate, CorrectionLevel::sequence, 1.2));
  EXPECT_THAT(batch[0].corrected_advantages, ElementsAre(near(1.2), near(-2.4)));
  EXPECT_THAT(batch[1].corrected_advantages, ElementsAre(near(4.8)));
  EXPECT_NEAR(report.mean, 1.5, 1e-6);
  EXPECT_EQ(report.clamped_fraction, 1.0);
}

TEST(CorrectionOfStaleness, NoneLeavesTheBatchAlone) {
  auto batch = batch_of_two();
  EXPECT_FALSE(correct(batch, options_of(Correction::none, CorrectionLevel::token, 2)).used);
  EXPECT_TRUE(batch[0].corrected_advantages.empty());
}

}  // namespace
}  // namespace precis
