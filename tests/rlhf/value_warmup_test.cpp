// ppo.value_warmup_steps: the value network learns, and nothing of the policy moves.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/drawn_experience.hpp"
#include "rlhf/learner.hpp"

namespace precis {
namespace {

class ValueWarmup : public testing::Test {
 protected:
  Device device{cpu::backend};
  MpiCommunicator data_parallel{test_session().world()};
  const TrainOptions train{.micro_batch_tokens = 150};
  const std::vector<Text> texts = ragged_texts(6, 61);

  [[nodiscard]] static ModelConfig config_of(ModelKind kind) {
    return tiny_config([kind](ModelConfig& c) { c.kind = kind; });
  }
  [[nodiscard]] static PpoOptions options_of(std::int64_t warmup) {
    PpoOptions options;
    options.epochs = 2;
    options.mini_batches = 3;
    options.value_warmup_steps = warmup;
    return options;
  }
  /// Two networks and their learner, the same each time but for the warm-up.
  struct Networks {
    Networks(ValueWarmup& test, std::int64_t warmup)
        : policy(make_model(test.device, config_of(ModelKind::language), {}, 3)),
          value(make_model(test.device, config_of(ModelKind::value), {}, 3)),
          options(options_of(warmup)),
          learner({.device = test.device,
                   .ranks = test.data_parallel,
                   .policy = policy,
                   .value = value,
                   .reference_head = policy.parameters,
                   .options = options,
                   .train = test.train}) {}

    Model policy, value;
    PpoOptions options;
    Learner learner;
  };
  [[nodiscard]] std::vector<Experience> batch(std::size_t step) const {
    std::vector<Experience> out;
    for (const Text& text : texts) {
      out.push_back(drawn_experience(text, 100 * step + out.size()));
    }
    return out;
  }
  [[nodiscard]] std::vector<float> numbers_of(const Model& model) {
    return device.to_host<float>(model.parameters.flat());
  }
  static constexpr Learner::Rates rates{.policy = 1e-2, .value = 1e-2};
};

TEST_F(ValueWarmup, LeavesThePolicyToTheBit) {
  Networks warmed(*this, 2);
  const std::vector<float> policy = numbers_of(warmed.policy);
  std::vector<float> value = numbers_of(warmed.value);
  for (const std::int64_t step : {1, 2}) {
    const UpdateReport report =
        warmed.learner.update(batch(static_cast<std::size_t>(step)), step, rates);
    EXPECT_EQ(numbers_of(warmed.policy), policy);
    EXPECT_NE(numbers_of(warmed.value), value);
    value = numbers_of(warmed.value);
    EXPECT_EQ(warmed.learner.updates(), (UpdateCounts{.policy = 0, .value = 6 * step}));
    EXPECT_EQ(report.applied, 6);
    for (const double of_policy : {report.policy_loss, report.update_kl,
                                   report.clip_fraction_policy, report.gradient_norm_policy}) {
      EXPECT_EQ(of_policy, 0);
    }
    EXPECT_EQ(report.ratio_mean, 1);
    EXPECT_EQ(report.ratio_max, 1);
    EXPECT_GT(report.value_loss, 0);
    EXPECT_GT(report.gradient_norm_value, 0);
  }

  // The policy's first step is as if there had been no other: its moments and its count begin
  // there.
  const UpdateReport first = warmed.learner.update(batch(3), 3, rates);
  Networks fresh(*this, 0);
  const UpdateReport of_fresh = fresh.learner.update(batch(3), 3, rates);
  EXPECT_NE(numbers_of(warmed.policy), policy);
  EXPECT_EQ(numbers_of(warmed.policy), numbers_of(fresh.policy));
  EXPECT_EQ(first.policy_loss, of_fresh.policy_loss);
  EXPECT_EQ(first.gradient_norm_policy, of_fresh.gradient_norm_policy);
  EXPECT_EQ(warmed.learner.updates(), (UpdateCounts{.policy = 6, .value = 18}));
}

/// The value network learns as it would beside a policy that learns.
TEST_F(ValueWarmup, IsTheSameForTheValueNetwork) {
  Networks warmed(*this, 1);
  Networks fresh(*this, 0);
  for (Networks* of : {&warmed, &fresh}) {
    (void)of->learner.update(batch(1), 1, rates);
  }
  EXPECT_EQ(numbers_of(warmed.value), numbers_of(fresh.value));
  EXPECT_NE(numbers_of(warmed.policy), numbers_of(fresh.policy));
}

TEST_F(ValueWarmup, StopsWhereAnUpdateIsNotFinite) {
  Networks warmed(*this, 1);
  std::vector<Experience> of_step = batch(1);
  of_step[2].returns[0] = std::nanf("");
  const std::vector<float> policy = numbers_of(warmed.policy);
  const UpdateReport report = warmed.learner.update(of_step, 1, rates);
  EXPECT_TRUE(std::isnan(report.value_loss));
  EXPECT_LT(report.applied, 6);
  EXPECT_EQ(report.policy_loss, 0);
  EXPECT_EQ(numbers_of(warmed.policy), policy);
  for (const float number : numbers_of(warmed.value)) {
    EXPECT_TRUE(std::isfinite(number));
  }
}

}  // namespace
}  // namespace precis
