// Scores, rewards, whitening and the adaptive coefficient.
#include "rlhf/rewards.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "rlhf/advantages.hpp"
#include "rlhf/support.hpp"

namespace precis {
namespace {

TEST(Score, OfASummaryWithoutEnd) {
  Episode episode;
  episode.score_raw = 0.5F;
  PpoOptions options;
  options.missing_end_value = -2;
  options.missing_end = MissingEnd::replace;
  EXPECT_EQ(score_of(episode, options), -2.0F);
  options.missing_end = MissingEnd::subtract;
  EXPECT_EQ(score_of(episode, options), -1.5F);
  options.missing_end = MissingEnd::none;
  EXPECT_EQ(score_of(episode, options), 0.5F);
}

TEST(Score, OfASummaryWithEndIsItsOwn) {
  Episode episode;
  episode.score_raw = 0.5F;
  episode.ended = true;
  PpoOptions options;
  for (const auto rule : {MissingEnd::replace, MissingEnd::subtract, MissingEnd::none}) {
    options.missing_end = rule;
    EXPECT_EQ(score_of(episode, options), 0.5F);
  }
}

TEST(Score, DefaultsAreThoseOfTheRecipe) {
  Episode episode;
  episode.score_raw = 3.0F;
  EXPECT_EQ(score_of(episode, PpoOptions{}), -1.0F);
}

TEST(Rewards, ArePaidTokenByTokenAndTheScoreAtTheLast) {
  Experience e = test::some_experience(0, 3);
  e.logprobs = {-1.0F, -2.0F, -3.0F};
  e.reference_logprobs = {-1.5F, -2.0F, -1.0F};
  e.episode.score_raw = 4.0F;
  e.values = {0.0F, 0.0F, 0.0F};
  PpoOptions options;
  options.lambda = 1;
  assign_rewards(e, options, 0.5);
  EXPECT_EQ(e.score, 4.0F);
  EXPECT_EQ(e.rewards, (std::vector<float>{-0.25F, 0.0F, 5.0F}));
  EXPECT_EQ(e.advantages, (std::vector<float>{4.75F, 5.0F, 5.0F}));
  EXPECT_EQ(e.returns, e.advantages);
}

TEST(Whiten, IsOverAllTokensOfTheBatch) {
  std::vector<Experience> batch{test::some_experience(0, 2), test::some_experience(1, 1),
                                test::some_experience(2, 1)};
  batch[0].advantages = {1.0F, 3.0F};
  batch[1].advantages = {5.0F};
  batch[2].advantages = {-1.0F};
  const std::vector<float> returns = batch[0].returns;
  whiten(batch);
  // Mean 2, biased variance 5.
  const float scale = 1.0F / std::sqrt(5.0F);
  EXPECT_FLOAT_EQ(batch[0].advantages[0], -1.0F * scale);
  EXPECT_FLOAT_EQ(batch[0].advantages[1], 1.0F * scale);
  EXPECT_FLOAT_EQ(batch[1].advantages[0], 3.0F * scale);
  EXPECT_FLOAT_EQ(batch[2].advantages[0], -3.0F * scale);
  EXPECT_EQ(batch[0].returns, returns) << "returns stay as they were before";
}

TEST(Whiten, OfEqualAdvantagesIsZero) {
  std::vector<Experience> batch{test::some_experience(0, 2)};
  batch[0].advantages = {7.0F, 7.0F};
  whiten(batch);
  EXPECT_EQ(batch[0].advantages, (std::vector<float>{0.0F, 0.0F}));
}

TEST(AdaptiveKl, FollowsTheError) {
  PpoOptions options;
  options.batch = 100;
  options.kl_horizon = 1000;
  EXPECT_EQ(next_kl_coefficient(0.05, 50.0, options), 0.05) << "off without a target";
  options.kl_target = 2;
  EXPECT_DOUBLE_EQ(next_kl_coefficient(0.05, 2.0, options), 0.05);
  EXPECT_DOUBLE_EQ(next_kl_coefficient(0.05, 2.2, options), 0.05 * 1.01);
  EXPECT_DOUBLE_EQ(next_kl_coefficient(0.05, 200.0, options), 0.05 * 1.02) << "clipped at 0.2";
  EXPECT_DOUBLE_EQ(next_kl_coefficient(0.05, 0.0, options), 0.05 * 0.98) << "and at -0.2";
}

}  // namespace
}  // namespace precis
