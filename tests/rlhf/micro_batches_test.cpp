// How a batch is cut into micro-batches changes no bit of losses, norms and parameters in f32.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "data/step_rows.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/drawn_experience.hpp"
#include "rlhf/learner.hpp"
#include "train/reward_model.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

constexpr int steps = 5;
constexpr std::int64_t unlimited = 1'000'000;

/// All that a training leaves, compared by bits.
struct Trained {
  std::vector<float> parameters;
  std::vector<double> reported;  ///< losses and norms of each step

  friend bool operator==(const Trained&, const Trained&) = default;
};

class MicroBatches : public testing::Test {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 2, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  MpiCommunicator data_parallel{world};
  const std::vector<Text> texts = ragged_texts(60, 61);

  void keep(Trained& trained, const Parameters& parameters) {
    for (const float value : device.to_host<float>(parameters.flat())) {
      trained.parameters.push_back(value);
    }
  }
  /// Every step on all rows of this rank.
  Trained train(SupervisedObjective& objective, Model& model, std::int64_t budget) {
    const TrainOptions options;
    Pipeline pipeline(
        {.device = device, .model = model, .ranks = world, .micro_batch_tokens = budget});
    Trained trained;
    Optimizer optimizer(device, model.parameters, {.copies = &data_parallel, .zero = true});
    std::vector<std::int64_t> rows(texts.size());
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    const auto mine = rank_part(rows, world.rank(), world.size());
    for (int step = 0; step < steps; ++step) {
      LossSums sums;
      optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& complete) {
        sums = accumulate(pipeline, objective, mine, objective.weight(rows), gradients, complete);
      });
      std::array<ExactSum, 2> exact{sums.loss, sums.correct};
      all_reduce(world, exact);
      trained.reported.push_back(exact[0].value());
      trained.reported.push_back(exact[1].value());
      trained.reported.push_back(optimizer.reduce(options.clip_norm));
      optimizer.apply(model.parameters, options, 1e-2);
    }
    keep(trained, model.parameters);
    return trained;
  }
  /// `train_with(budget)` must leave the same whatever the budget.
  template <class TrainWith>
  void expect_same_bits(const TrainWith& train_with) {
    const Trained expected = train_with(unlimited);
    for (const double number : expected.reported) {
      EXPECT_TRUE(std::isfinite(number));
    }
    for (const std::int64_t budget : {64, 300, 2048}) {
      const Trained found = train_with(budget);
      EXPECT_EQ(found.reported, expected.reported) << budget << " tokens";
      EXPECT_TRUE(found.parameters == expected.parameters) << budget << " tokens";
    }
  }
  [[nodiscard]] Model model_of(ModelKind kind, bool tied = true) {
    return make_model(device, tiny_config([&](ModelConfig& c) {
                        c.kind = kind;
                        c.tied = tied;
                        if (!tied) {
                          c.norm = NormKind::rms_norm;
                        }
                      }),
                      {}, 3);
  }
};

TEST_F(MicroBatches, OfSft) {
  std::vector<Example> examples;
  for (const Text& text : texts) {
    examples.emplace_back(SummaryRow(), text.prompt, text.response);
  }
  for (const bool tied : {true, false}) {
    expect_same_bits([&](std::int64_t budget) {
      Model model = model_of(ModelKind::language, tied);
      // Every token but the first: more targets than the head works on at a time.
      SftObjective objective(machine, model, world, examples, {}, SftLoss::all, budget);
      return train(objective, model, budget);
    });
  }
}

TEST_F(MicroBatches, OfReward) {
  std::vector<Pair> pairs;
  for (const Text& text : texts) {
    pairs.push_back({.comparison = {},
                     .query = text.prompt,
                     .responses = {text.response, {1, 2, 60}},
                     .weight = pairs.size() % 3 == 0 ? 0.3 : 1.0});
  }
  expect_same_bits([&](std::int64_t budget) {
    Model model = model_of(ModelKind::reward);
    RewardObjective objective(machine, model, world, pairs, {}, budget);
    return train(objective, model, budget);
  });
}

TEST_F(MicroBatches, OfPpo) {
  std::vector<Experience> batch;
  for (const Text& text : texts) {
    batch.push_back(drawn_experience(text, batch.size()));
  }
  PpoOptions ppo;
  ppo.epochs = steps;
  ppo.mini_batches = 2;
  expect_same_bits([&](std::int64_t budget) {
    const TrainOptions options{.micro_batch_tokens = budget};
    Model policy = model_of(ModelKind::language);
    Model value = model_of(ModelKind::reward);
    Learner learner({.device = device,
                     .ranks = data_parallel,
                     .policy = policy,
                     .value = value,
                     .reference_head = policy.parameters,
                     .options = ppo,
                     .train = options});
    const UpdateReport report = learner.update(batch, 1, {.policy = 1e-2, .value = 1e-2});
    EXPECT_EQ(report.applied, 2 * steps);
    Trained trained;
    trained.reported = {report.policy_loss,         report.value_loss,
                        report.update_kl,           report.clip_fraction_policy,
                        report.clip_fraction_value, report.ratio_mean,
                        report.ratio_max,           report.gradient_norm_policy,
                        report.gradient_norm_value};
    keep(trained, policy.parameters);
    keep(trained, value.parameters);
    return trained;
  });
}

}  // namespace
}  // namespace precis
