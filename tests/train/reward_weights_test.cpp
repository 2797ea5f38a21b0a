// Weights of pairs in the reward model's loss.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_test.hpp"
#include "train/optimizer.hpp"
#include "train/reward_model.hpp"

namespace precis {
namespace {

struct Step {
  std::vector<float> gradient;
  double loss = 0;
  double accuracy = 0;
  double weight = 0;
};

class RewardWeights : public testing::Test {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};

  /// The gradient of one step on these pairs, in their order.
  [[nodiscard]] Step step(const std::vector<Pair>& pairs, std::int64_t micro_batch_tokens = 150) {
    const auto config = tiny_config([](ModelConfig& c) { c.kind = ModelKind::reward; });
    Model model = make_model(machine.device, config, {}, 3);
    RewardObjective objective(machine, model, test_session().world(), pairs, pairs,
                              micro_batch_tokens);
    Pipeline pipeline({.device = machine.device,
                       .model = model,
                       .ranks = test_session().world(),
                       .micro_batch_tokens = micro_batch_tokens});
    Optimizer optimizer(machine.device, model.parameters);
    std::vector<std::int64_t> rows(pairs.size());
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    const double weight = objective.weight(rows);
    LossSums sums;
    optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
      sums = accumulate(pipeline, objective, rows, weight, gradients);
    });
    EXPECT_DOUBLE_EQ(sums.weight, weight);
    return {.gradient = machine.device.to_host<float>(optimizer.gradients().flat()),
            .loss = sums.loss.value() / weight,
            .accuracy = sums.correct.value() / weight,
            .weight = weight};
  }
  [[nodiscard]] static std::vector<Pair> six_pairs() {
    std::vector<Pair> pairs;
    for (const Text& text : ragged_texts(6, 61)) {
      pairs.push_back({.comparison = {},
                       .query = text.prompt,
                       .responses = {text.response, {1, 2, 60}},
                       .weight = 1});
    }
    return pairs;
  }
  static void expect_close(const Step& a, const Step& b) {
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    EXPECT_NEAR(a.accuracy, b.accuracy, 1e-12);
    ASSERT_EQ(a.gradient.size(), b.gradient.size());
    float largest = 0;
    for (const float value : a.gradient) {
      largest = std::max(largest, std::abs(value));
    }
    EXPECT_GT(largest, 1e-4F);
    for (std::size_t i = 0; i < a.gradient.size(); ++i) {
      ASSERT_NEAR(a.gradient[i], b.gradient[i], 2e-6F * largest) << i;
    }
  }
};

TEST_F(RewardWeights, APairOfWeightThreeIsThePairThreeTimes) {
  std::vector<Pair> weighted = six_pairs();
  std::vector<Pair> repeated;
  const std::vector<int> times{2, 1, 1, 3, 2, 1};
  for (std::size_t i = 0; i < weighted.size(); ++i) {
    repeated.insert(repeated.end(), static_cast<std::size_t>(times[i]), weighted[i]);
    weighted[i].weight = times[i];
  }
  const Step once = step(weighted);
  EXPECT_EQ(once.weight, 10);
  expect_close(once, step(repeated));
  // The scale of the weights does not matter, nor does the division into micro-batches.
  for (Pair& pair : weighted) {
    pair.weight *= 0.3;
  }
  expect_close(once, step(weighted));
  expect_close(once, step(weighted, 100000));
}

TEST_F(RewardWeights, EqualWeightsHaveTheBitsOfNone) {
  std::vector<Pair> pairs = six_pairs();
  const Step plain = step(pairs);
  for (Pair& pair : pairs) {
    pair.weight = 0.25;
  }
  const Step quarter = step(pairs);
  EXPECT_EQ(plain.gradient, quarter.gradient);
  EXPECT_EQ(plain.loss, quarter.loss);
  EXPECT_EQ(plain.accuracy, quarter.accuracy);
}

}  // namespace
}  // namespace precis
