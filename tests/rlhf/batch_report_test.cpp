// What is reported of a batch.
#include "rlhf/batch_report.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "rlhf/support.hpp"

namespace precis {
namespace {

TEST(BatchReport, IsOfTheBatch) {
  Experience a = test::some_experience(0, 2);
  a.logprobs = a.policy_logprobs = {-1.0F, -2.0F};
  a.episode.rollout_logprobs = {-1.0F, -2.25F};
  a.reference_logprobs = {-1.5F, -3.0F};
  a.exact_kls = {0.5F, 0.25F};
  a.entropies = {3.0F, 1.0F};
  a.values = {1.0F, 2.0F};
  a.returns = {2.0F, 4.0F};
  a.episode.score_raw = 1.0F;
  a.score = 1.0F;
  Experience b = test::some_experience(1, 1);
  b.logprobs = b.policy_logprobs = {-4.0F};
  b.episode.rollout_logprobs = {-3.5F};
  b.reference_logprobs = {-3.5F};
  b.exact_kls = {1.0F};
  b.entropies = {2.0F};
  b.values = {0.0F};
  b.returns = {0.0F};
  b.episode.score_raw = 3.0F;
  b.score = -1.0F;
  const std::vector<Experience> batch{a, b};
  const BatchReport report = report_of(batch, 0.1, KlEstimator::k1);
  EXPECT_DOUBLE_EQ(report.score_mean, 2.0) << "of score_raw";
  EXPECT_DOUBLE_EQ(report.score_std, 1.0) << "biased";
  EXPECT_DOUBLE_EQ(report.kl_k1, (0.5 + 1.0 - 0.5) / 2);
  const auto k3 = [](double k1) { return std::exp(-k1) - 1 + k1; };
  EXPECT_DOUBLE_EQ(report.kl_k3, (k3(0.5) + k3(1.0) + k3(-0.5)) / 2);
  EXPECT_DOUBLE_EQ(report.kl_exact, 1.75 / 2);
  EXPECT_DOUBLE_EQ(report.entropy, 2.0) << "a token";
  EXPECT_DOUBLE_EQ(report.rlhf_reward, 0.0 - 0.1 * 0.5) << "of score, after the missing-end rule";
  EXPECT_DOUBLE_EQ(report_of(batch, 0.1, KlEstimator::k3).rlhf_reward, -0.1 * report.kl_k3);
  EXPECT_DOUBLE_EQ(report_of(batch, 0.1, KlEstimator::exact).rlhf_reward, -0.1 * 1.75 / 2);
  EXPECT_DOUBLE_EQ(report.logprob_gap_mean, 0.75 / 3);
  EXPECT_DOUBLE_EQ(report.logprob_gap_max, 0.5);
  EXPECT_DOUBLE_EQ(report.response_tokens_mean, 1.5);
  EXPECT_DOUBLE_EQ(report.ended_fraction, 0.5);
  // R - V = (1, 2, 0): variance 2/3; R = (2, 4, 0): variance 8/3.
  EXPECT_NEAR(report.explained_variance, 0.75, 1e-15);
}

TEST(BatchReport, LetsANaNThrough) {
  std::vector<Experience> batch{test::some_experience(0, 2)};
  batch[0].logprobs[0] = batch[0].policy_logprobs[0] = std::nanf("");
  const BatchReport report = report_of(batch, 0.1, KlEstimator::k1);
  EXPECT_TRUE(std::isnan(report.kl_k1));
  EXPECT_TRUE(std::isnan(report.logprob_gap_max));
}

}  // namespace
}  // namespace precis
