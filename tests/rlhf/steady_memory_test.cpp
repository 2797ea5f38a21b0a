// Training steps and rollouts of a size that was met before take no memory from the device.
#include <gtest/gtest.h>

#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/advantages.hpp"
#include "rlhf/learner.hpp"
#include "rlhf/reward.hpp"
#include "rlhf/rewards.hpp"
#include "rlhf/rollout.hpp"
#include "train/reward_model.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

class SteadyMemory : public testing::Test {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  MpiCommunicator data_parallel{world};
  const TrainOptions options{.micro_batch_tokens = 150};

  [[nodiscard]] Model model_of(ModelKind kind) {
    const auto config = tiny_config([&](ModelConfig& c) {
      c.kind = kind;
      c.end_tokens = {};  // So that all responses have the same length.
    });
    return make_model(device, config, {}, 3);
  }
  /// The first two steps may take memory.
  template <class Step>
  void expect_steady(Step&& step) {
    step();
    step();
    const auto changes = device.memory().changes();
    step();
    step();
    EXPECT_EQ(device.memory().changes(), changes);
    EXPECT_GT(device.memory().held().of(MemoryUse::activations), 0);
  }
  void expect_steady_steps(SupervisedObjective& objective, Model& model) {
    const std::vector<std::int64_t> rows{0, 1, 2, 3, 4, 5};
    const std::pair<MakeSchedule, Recompute> cases[]{{one_forward_one_backward, Recompute::none},
                                                     {gpipe, Recompute::full},
                                                     {zero_bubble, Recompute::block}};
    for (const auto& [schedule, recompute] : cases) {
      Pipeline pipeline({.device = device,
                         .model = model,
                         .ranks = world,
                         .micro_batch_tokens = options.micro_batch_tokens,
                         .schedule = schedule,
                         .activations = {.recompute = recompute}});
      Optimizer optimizer(device, model.parameters);
      expect_steady([&] {
        LossSums sums;
        optimizer.form_gradients(
            [&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
              sums = accumulate(pipeline, objective, rows, objective.weight(rows), gradients);
            });
        EXPECT_GT(sums.tokens, options.micro_batch_tokens);
        EXPECT_GT(optimizer.reduce(options.clip_norm), 0);
        optimizer.apply(model.parameters, options, 1e-3);
      });
    }
  }
};

TEST_F(SteadyMemory, OfSft) {
  std::vector<Example> examples;
  for (const Text& text : ragged_texts(6, 61)) {
    examples.emplace_back(SummaryRow(), text.prompt, text.response);
  }
  Model model = model_of(ModelKind::language);
  SftObjective objective(machine, model, world, examples, examples, SftLoss::response,
                         options.micro_batch_tokens);
  expect_steady_steps(objective, model);
  expect_steady([&] { EXPECT_GT(objective.validate().loss.value(), 0); });
}

TEST_F(SteadyMemory, OfRewardTraining) {
  std::vector<Pair> pairs;
  for (const Text& text : ragged_texts(6, 61)) {
    pairs.push_back({.comparison = {}, .query = text.prompt, .responses = {text.response, {1, 2}}});
  }
  Model model = model_of(ModelKind::reward);
  RewardObjective objective(machine, model, world, pairs, pairs, options.micro_batch_tokens);
  expect_steady_steps(objective, model);
  expect_steady([&] { EXPECT_GT(objective.validate().loss.value(), 0); });
}

TEST_F(SteadyMemory, OfPpo) {
  std::vector<Example> prompts;
  for (const Text& text : ragged_texts(6, 61)) {
    prompts.emplace_back(SummaryRow(), text.prompt, std::vector<std::int32_t>());
  }
  Model policy = model_of(ModelKind::language);
  Model value = model_of(ModelKind::value);
  const Model reference = model_of(ModelKind::language);
  const Model reward = model_of(ModelKind::reward);
  PpoOptions ppo_options;
  ppo_options.batch = 6;
  ppo_options.epochs = 2;
  ppo_options.mini_batches = 2;
  const auto arena = std::make_shared<Arena>(device);
  Rollout rollout(
      {.generator = std::make_shared<Generator>(device, policy.config, policy.parameters, arena),
       .policy = policy.parameters,
       .prompts = prompts,
       .seed = 5,
       .rule = {.sampling = {}, .max_new_tokens = 9},
       .between_steps = [] {}});
  Reward scorer({.device = device,
                 .reward = reward,
                 .reference = reference,
                 .micro_batch_tokens = options.micro_batch_tokens,
                 .between = [] {},
                 .arena = arena});
  Learner learner({.device = device,
                   .ranks = data_parallel,
                   .policy = policy,
                   .value = value,
                   .reference_head = reference.parameters,
                   .options = ppo_options,
                   .train = options,
                   .arena = arena});
  expect_steady([&] {
    std::vector<Episode> episodes;
    rollout.generate({0, 6}, {},
                     [&](Episode&& episode) { episodes.push_back(std::move(episode)); });
    scorer.score(episodes);
    auto batch = learner.experience(std::move(episodes), ppo_options.kl);
    whiten(batch);
    EXPECT_EQ(learner.update(batch, 1, {.policy = 1e-3, .value = 1e-3}).applied, 4);
  });
  EXPECT_GT(device.memory().held().of(MemoryUse::key_value_cache), 0);
  EXPECT_EQ(device.memory().held().of(MemoryUse::activations), arena->bytes());
}

}  // namespace
}  // namespace precis
