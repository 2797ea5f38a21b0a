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
  options.value_lambda = 1;
  assign_rewards(e, options, 0.5);
  EXPECT_EQ(e.score, 4.0F);
  EXPECT_EQ(e.rewards, (std::vector<float>{-0.25F, 0.0F, 5.0F}));
  EXPECT_EQ(e.advantages, (std::vector<float>{4.75F, 5.0F, 5.0F}));
  EXPECT_EQ(e.returns, e.advantages);
}

/// A response that ends or is cut off: what each rule makes of score, advantages and returns, with
/// values (1, 2, 4), gamma 1/2, ppo.lambda 1/2 and ppo.value_lambda 1. The KL pays -1/4, 0 and 1.
TEST(Rewards, OfResponsesThatEndAndThatAreCutOff) {
  struct Case {
    const char* name;
    bool ended;
    MissingEnd rule;
    float score;
    std::vector<float> advantages;
    std::vector<float> returns;
  };
  // delta = r + V_next / 2 - V = (-1/4 + 1 - 1, 0 + 2 - 2, r_2 - 4), with r_2 = 1 + score.
  // Advantages: A_t = delta_t + A_{t+1} / 4. Returns: of lambda 1, the sums of the discounted
  // rewards, whatever the values: (-1/4 + r_2 / 4, r_2 / 2, r_2).
  const Case cases[]{
      // r_2 = 5, delta_2 = 1.
      {"ended", true, MissingEnd::replace, 4.0F, {-0.1875F, 0.25F, 1.0F}, {1.0F, 2.5F, 5.0F}},
      {"none", false, MissingEnd::none, 4.0F, {-0.1875F, 0.25F, 1.0F}, {1.0F, 2.5F, 5.0F}},
      // The score is -2: r_2 = -1, delta_2 = -5.
      {"replace",
       false,
       MissingEnd::replace,
       -2.0F,
       {-0.5625F, -1.25F, -5.0F},
       {-0.5F, -0.5F, -1.0F}},
      // The score is 4 - 2: r_2 = 3, delta_2 = -1.
      {"subtract",
       false,
       MissingEnd::subtract,
       2.0F,
       {-0.3125F, -0.25F, -1.0F},
       {0.5F, 1.5F, 3.0F}},
  };
  for (const Case& c : cases) {
    Experience e = test::some_experience(0, 3);
    e.logprobs = {-1.0F, -2.0F, -3.0F};
    e.reference_logprobs = {-1.5F, -2.0F, -1.0F};
    e.values = {1.0F, 2.0F, 4.0F};
    e.episode.score_raw = 4.0F;
    e.episode.ended = c.ended;
    PpoOptions options;
    options.missing_end = c.rule;
    options.missing_end_value = -2;
    options.gamma = 0.5;
    options.lambda = 0.5;
    options.value_lambda = 1;
    assign_rewards(e, options, 0.5);
    EXPECT_EQ(e.score, c.score) << c.name;
    EXPECT_EQ(e.rewards, (std::vector<float>{-0.25F, 0.0F, 1.0F + c.score})) << c.name;
    EXPECT_EQ(e.advantages, c.advantages) << c.name;
    EXPECT_EQ(e.returns, c.returns) << c.name;

    // One lambda: the returns are the advantages and the values.
    options.value_lambda = options.lambda;
    assign_rewards(e, options, 0.5);
    EXPECT_EQ(e.advantages, c.advantages) << c.name;
    for (std::size_t t = 0; t < 3; ++t) {
      EXPECT_EQ(e.returns[t], c.advantages[t] + e.values[t]) << c.name;
    }
  }
}

TEST(Rewards, HaveTheEstimateOfTheKlThatIsChosen) {
  Experience e = test::some_experience(0, 2);
  e.logprobs = {-1.0F, -2.0F};
  e.reference_logprobs = {-1.5F, -1.0F};
  e.exact_kls = {0.75F, 0.25F};
  e.episode.score_raw = 4.0F;
  const auto rewards = [&](KlEstimator estimator) {
    PpoOptions options;
    options.kl_estimator = estimator;
    assign_rewards(e, options, 2.0);
    return e.rewards;
  };
  EXPECT_EQ(rewards(KlEstimator::k1), (std::vector<float>{-1.0F, 6.0F}));
  EXPECT_EQ(rewards(KlEstimator::exact), (std::vector<float>{-1.5F, 3.5F}));
  // exp(-1/2) - 1 + 1/2 = 0.10653066, exp(1) - 1 - 1 = 0.71828183.
  const auto k3 = rewards(KlEstimator::k3);
  EXPECT_FLOAT_EQ(k3[0], -0.21306132F);
  EXPECT_FLOAT_EQ(k3[1], 2.5634363F);
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
