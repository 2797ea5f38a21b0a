// Scores, rewards, whitening, the adaptive coefficient, and what is reported of a batch.
#include "rlhf/experience.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "rlhf/step_report.hpp"
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
  e.episode.reference_logprobs = {-1.5F, -2.0F, -1.0F};
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

TEST(Report, IsOfTheBatch) {
  Experience a = test::some_experience(0, 2);
  a.logprobs = {-1.0F, -2.0F};
  a.episode.rollout_logprobs = {-1.0F, -2.25F};
  a.episode.reference_logprobs = {-1.5F, -3.0F};
  a.exact_kls = {0.5F, 0.25F};
  a.entropies = {3.0F, 1.0F};
  a.values = {1.0F, 2.0F};
  a.returns = {2.0F, 4.0F};
  a.episode.score_raw = 1.0F;
  a.score = 1.0F;
  Experience b = test::some_experience(1, 1);
  b.logprobs = {-4.0F};
  b.episode.rollout_logprobs = {-3.5F};
  b.episode.reference_logprobs = {-3.5F};
  b.exact_kls = {1.0F};
  b.entropies = {2.0F};
  b.values = {0.0F};
  b.returns = {0.0F};
  b.episode.score_raw = 3.0F;
  b.score = -1.0F;
  const std::vector<Experience> batch{a, b};
  const BatchReport of = report_of(batch, 0.1);
  EXPECT_DOUBLE_EQ(of.score_mean, 2.0) << "of score_raw";
  EXPECT_DOUBLE_EQ(of.score_std, 1.0) << "biased";
  EXPECT_DOUBLE_EQ(of.kl_k1, (0.5 + 1.0 - 0.5) / 2);
  const auto k3 = [](double k1) { return std::exp(-k1) - 1 + k1; };
  EXPECT_DOUBLE_EQ(of.kl_k3, (k3(0.5) + k3(1.0) + k3(-0.5)) / 2);
  EXPECT_DOUBLE_EQ(of.kl_exact, 1.75 / 2);
  EXPECT_DOUBLE_EQ(of.entropy, 2.0) << "a token";
  EXPECT_DOUBLE_EQ(of.rlhf_reward, 0.0 - 0.1 * 0.5) << "of score, after the missing-end rule";
  EXPECT_DOUBLE_EQ(of.logprob_gap_mean, 0.75 / 3);
  EXPECT_DOUBLE_EQ(of.logprob_gap_max, 0.5);
  EXPECT_DOUBLE_EQ(of.response_tokens_mean, 1.5);
  EXPECT_DOUBLE_EQ(of.ended_fraction, 0.5);
  // R - V = (1, 2, 0): variance 2/3; R = (2, 4, 0): variance 8/3.
  EXPECT_NEAR(of.explained_variance, 0.75, 1e-15);
}

TEST(Report, LetsANaNThrough) {
  std::vector<Experience> batch{test::some_experience(0, 2)};
  batch[0].logprobs[0] = std::nanf("");
  const BatchReport of = report_of(batch, 0.1);
  EXPECT_TRUE(std::isnan(of.kl_k1));
  EXPECT_TRUE(std::isnan(of.logprob_gap_max));
}

TEST(Report, ShowsTheRewardThatIsOptimisedFirst) {
  BatchReport batch;
  batch.score_mean = 0.76;
  batch.rlhf_reward = -1.01;
  batch.kl_exact = 0.2;
  batch.response_tokens_mean = 8;
  std::vector<std::pair<std::string, double>> shown;
  for (const ProgressNumbers::Value& value : progress_values(batch)) {
    shown.emplace_back(value.name, value.value);
  }
  EXPECT_EQ(shown,
            (std::vector<std::pair<std::string, double>>{
                {"reward", -1.01}, {"score", 0.76}, {"KL", 0.2}, {"length", 8}, {"ended", 0}}));
}

TEST(Report, WarnsWhereFewerThanHalfEnd) {
  BatchReport batch;
  PpoOptions options;
  batch.ended_fraction = 0.5;
  EXPECT_EQ(too_few_ended(batch, 3, options), "");
  batch.ended_fraction = 0.25;
  const std::pair<MissingEnd, std::string> rules[]{
      {MissingEnd::replace, "is replaced by -1 (ppo.missing_end = replace)"},
      {MissingEnd::subtract, "-1 is added to the score"},
      {MissingEnd::none, "scored all the same"}};
  for (const auto& [rule, said] : rules) {
    options.missing_end = rule;
    EXPECT_THAT(
        too_few_ended(batch, 3, options),
        testing::AllOf(testing::HasSubstr("Step 3: 25% of the summaries ended"),
                       testing::HasSubstr(said), testing::HasSubstr("data.max_response_tokens")));
  }
}

TEST(EpisodeRow, HasEveryFieldOfTheContract) {
  const Experience e = test::some_experience(6, 2);
  const Row row = episode_row(e, 4, "id", 0.05, {1, 0});
  std::vector<std::string> keys;
  for (const auto& [key, value] : row.items()) {
    keys.push_back(key);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"step", "episode", "prompt_id", "prompt_ids",
                                            "response_ids", "finish", "rollout_logprobs",
                                            "logprobs", "reference_logprobs", "values", "score_raw",
                                            "score", "kl_coefficient", "rewards", "advantages",
                                            "returns", "weight_version", "minibatch"}));
  EXPECT_EQ(row.at("finish"), "eos");
  EXPECT_EQ(row.at("minibatch"), (std::vector<int>{1, 0}));
  EXPECT_EQ(row.at("logprobs").get<std::vector<float>>(), e.logprobs) << "to the bit";
}

}  // namespace
}  // namespace precis
