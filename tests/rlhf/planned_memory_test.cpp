// What a run is planned to hold at its peak is what it holds: the plan cannot drift from the code
// that allocates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/step_rows.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/plan.hpp"
#include "train/memory_report.hpp"
#include "train/plan.hpp"
#include "train/reward_model.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

/// Exact where sizes follow from shapes; within a tenth where they follow from what came before.
void expect_planned(const MemoryCount& planned, const MemoryCount& peak) {
  for (const MemoryUse use :
       {MemoryUse::parameters, MemoryUse::packed_weights, MemoryUse::gradients,
        MemoryUse::optimizer_state, MemoryUse::key_value_cache}) {
    EXPECT_EQ(planned.of(use), peak.of(use)) << "use " << static_cast<int>(use);
  }
  for (const MemoryUse use : {MemoryUse::activations, MemoryUse::scratch}) {
    EXPECT_NEAR(static_cast<double>(planned.of(use)), static_cast<double>(peak.of(use)),
                0.1 * static_cast<double>(peak.of(use)))
        << "use " << static_cast<int>(use);
  }
  EXPECT_GT(peak.of(MemoryUse::activations), std::int64_t{3} << 20);
}

class PlannedMemoryOf : public testing::Test {
 protected:
  PlannedMemoryOf() { set_threads(1); }  // Scratch memory follows from the threads.

  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  MpiCommunicator data_parallel{world};

  [[nodiscard]] static ModelConfig config_of(ModelKind kind) {
    return tiny_config([&](ModelConfig& c) {
      c.kind = kind;
      c.width = 64;
      c.heads = 4;
      c.vocabulary = 200;
      c.end_tokens = {};
    });
  }
  [[nodiscard]] Model model_of(ModelKind kind) {
    return make_model(device, config_of(kind), {}, 3);
  }
  [[nodiscard]] static std::vector<Text> texts() {
    std::vector<Text> texts;
    for (int repeat = 0; repeat < 2; ++repeat) {
      for (const Text& text : ragged_texts(24, 200)) {
        texts.push_back(text);
      }
    }
    return texts;
  }
  /// The steps of a training as the loop takes them, then a validation.
  void train(const TrainingPlan& plan) {
    const auto objective = plan.make_objective(machine, plan.model, world);
    Pipeline pipeline({.device = device,
                       .model = plan.model,
                       .ranks = world,
                       .micro_batch_tokens = plan.train.micro_batch_tokens,
                       .activations = plan.train.parallel.activations});
    const DataParts parts = data_parts(plan.train.data_parts, 0, 1);
    Optimizer optimizer(device, plan.model.parameters, {.parts = parts.mine()});
    std::optional<Parameters> best;
    if (plan.train.keep == KeepModel::best) {
      best.emplace(device, plan.model.parameters.specs());
    }
    StepRows step_rows(objective->facts().rows, plan.train.batch, plan.seed);
    for (std::int64_t step = 0; step < plan.train.steps; ++step) {
      const auto rows = step_rows.of(step);
      optimizer.form_gradients(
          [&](std::int64_t part, Parameters& gradients, const auto& /*complete*/) {
            const auto [begin, end] = parts.rows_of(part, std::ssize(rows));
            const std::vector<std::int64_t> mine(rows.begin() + begin, rows.begin() + end);
            (void)accumulate(pipeline, *objective, mine, objective->weight(rows), gradients);
          });
      (void)optimizer.reduce(1.0);
      optimizer.apply(plan.model.parameters, plan.train, 1e-3);
    }
    (void)objective->validate();
  }
};

TEST_F(PlannedMemoryOf, Sft) {
  std::vector<Example> examples;
  std::vector<std::int64_t> lengths;
  for (const Text& text : texts()) {
    examples.emplace_back(SummaryRow(), text.prompt, text.response);
    lengths.push_back(std::ssize(text.prompt) + std::ssize(text.response));
  }
  Model model = model_of(ModelKind::language);
  const TrainOptions options{.steps = 4, .batch = 16, .micro_batch_tokens = 600, .data_parts = 4};
  const TrainingPlan plan{.model = model,
                          .train = options,
                          .seed = 4,
                          .lengths = lengths,
                          .make_objective = [&](Machine& on, const Model& of, RankGroup& ranks) {
                            return std::make_unique<SftObjective>(on, of, ranks, examples, examples,
                                                                  SftLoss::response,
                                                                  options.micro_batch_tokens);
                          }};
  const MemoryCount planned = planned_memory(plan, device, 0, {});
  EXPECT_LT(planned_memory(plan, device, 3, {.dp = 8}).of(MemoryUse::activations),
            planned.of(MemoryUse::activations));
  train(plan);
  expect_planned(planned, device.memory().peak());
}

TEST_F(PlannedMemoryOf, RewardTraining) {
  std::vector<Pair> pairs;
  std::vector<std::int64_t> lengths;
  for (const Text& text : texts()) {
    pairs.push_back({.comparison = {}, .query = text.prompt, .responses = {text.response, {1, 2}}});
    lengths.push_back(pairs.back().tokens());
  }
  Model model = model_of(ModelKind::reward);
  const TrainOptions options{
      .steps = 4, .batch = 16, .micro_batch_tokens = 600, .keep = KeepModel::best};
  const TrainingPlan plan{.model = model,
                          .train = options,
                          .seed = 4,
                          .lengths = lengths,
                          .make_objective = [&](Machine& on, const Model& of, RankGroup& ranks) {
                            return std::make_unique<RewardObjective>(on, of, ranks, pairs, pairs,
                                                                     options.micro_batch_tokens);
                          }};
  const MemoryCount planned = planned_memory(plan, device, 0, {});
  train(plan);
  expect_planned(planned, device.memory().peak());
}

TEST_F(PlannedMemoryOf, Ppo) {
  std::vector<Example> prompts;
  for (const Text& text : texts()) {
    prompts.emplace_back(SummaryRow(), text.prompt, std::vector<std::int32_t>());
  }
  const ModelConfig language = config_of(ModelKind::language);
  const ModelConfig reward = config_of(ModelKind::reward);
  const ModelConfig value = config_of(ModelKind::value);
  const std::vector<std::uint8_t> no_tokenizer;
  const RoleLayout layout = plan_roles(Placement::colocated, {}, 1);
  PpoOptions options;
  options.batch = 24;
  options.epochs = 1;
  options.mini_batches = 2;
  options.max_sequences = 12;
  const TrainOptions train{.steps = 2, .micro_batch_tokens = 600};
  const auto plan_with = [&](const RoleLayout& ranks, const TrainOptions& of_run) {
    return PpoPlan{.layout = ranks,
                   .policy = language,
                   .reference = language,
                   .reward = reward,
                   .value = value,
                   .tokenizer = no_tokenizer,
                   .prompts = prompts,
                   .shown = prompts,
                   .options = options,
                   .train = of_run,
                   .max_response_tokens = 15,
                   .seed = 5};
  };
  const auto plan_on = [&](const RoleLayout& ranks) { return plan_with(ranks, train); };
  const MemoryCount planned = planned_memory(plan_on(layout), device, 0);

  // The steps after a warm-up of the value network count, however late they come.
  const TrainOptions longer{.steps = 9, .micro_batch_tokens = 600};
  const auto without_warmup = planned_memory(plan_with(layout, longer), device, 0);
  options.value_warmup_steps = 8;
  EXPECT_EQ(planned_memory(plan_with(layout, longer), device, 0).bytes, without_warmup.bytes);
  options.value_warmup_steps = 9;
  EXPECT_LT(planned_memory(plan_with(layout, longer), device, 0).of(MemoryUse::packed_weights),
            without_warmup.of(MemoryUse::packed_weights))
      << "nothing is packed for the policy's backward pass";
  options.value_warmup_steps = 0;

  RoleModels models;
  models.policy = model_of(ModelKind::language);
  models.value = model_of(ModelKind::value);
  models.reward = model_of(ModelKind::reward);
  models.reference = model_of(ModelKind::language);
  const PpoRoles roles = make_roles({.device = device,
                                     .layout = layout,
                                     .learners = &data_parallel,
                                     .models = models,
                                     .prompts = prompts,
                                     .shown = prompts,
                                     .options = options,
                                     .train = train,
                                     .seed = 5,
                                     .max_response_tokens = 15,
                                     .between_decode_steps = [] {},
                                     .between_scored = [] {}});
  for (std::int64_t step = 0; step < train.steps; ++step) {
    std::vector<Episode> episodes;
    roles.rollout->generate({step * options.batch, (step + 1) * options.batch}, {.number = step},
                            [&](Episode&& episode) { episodes.push_back(std::move(episode)); });
    std::ranges::sort(episodes, {}, &Episode::number);
    for (std::size_t group = 0; group < episodes.size(); group += 16) {
      roles.reward->score(
          std::span(episodes).subspan(group, std::min<std::size_t>(16, episodes.size() - group)));
    }
    const auto batch = roles.learner->experience(std::move(episodes), options.kl);
    EXPECT_EQ(roles.learner->update(batch, step + 1, {.policy = 1e-3, .value = 1e-3}).applied, 2);
  }
  expect_planned(planned, device.memory().peak());

  // On ranks of their own each role holds less, and the learner the most.
  const RoleLayout dedicated = plan_roles(Placement::dedicated, {}, 3);
  const PpoPlan on_three = plan_on(dedicated);
  const MemoryCount rollout = planned_memory(on_three, device, 0);
  const MemoryCount scorer = planned_memory(on_three, device, 1);
  const MemoryCount learner = planned_memory(on_three, device, 2);
  EXPECT_EQ(rollout.of(MemoryUse::key_value_cache), planned.of(MemoryUse::key_value_cache));
  EXPECT_EQ(rollout.of(MemoryUse::gradients) + scorer.of(MemoryUse::gradients), 0);
  EXPECT_EQ(learner.of(MemoryUse::gradients), planned.of(MemoryUse::gradients));
  // Rollout and learner each have a copy of the policy, and the learner one of the reference's
  // output matrix.
  EXPECT_EQ(rollout.of(MemoryUse::parameters) + scorer.of(MemoryUse::parameters) +
                learner.of(MemoryUse::parameters),
            planned.of(MemoryUse::parameters) + models.policy->parameters.flat().size_bytes() +
                Parameters(device, output_matrix_specs(language)).flat().size_bytes());
  EXPECT_LT(std::max(rollout.total(), scorer.total()), learner.total());
  EXPECT_LT(learner.total(), planned.total());
}

/// A device on which nothing can be had any more.
class FullMemory final : public Memory {
 public:
  explicit FullMemory(std::int64_t free) : Memory("test memory"), free_(free) {}
  [[nodiscard]] Space space() const override { return {free_, std::int64_t{8} << 20}; }

 private:
  [[nodiscard]] void* take(std::int64_t /*bytes*/) override { return nullptr; }
  void give_back(void* /*memory*/) noexcept override {}
  std::int64_t free_;
};

TEST(MemoryReport, SaysWhatDoesNotFit) {
  PlannedMemory mine{.role = "training", .peak = {}};
  mine.peak.of(MemoryUse::gradients) = std::int64_t{3} << 20;
  mine.peak.of(MemoryUse::activations) = std::int64_t{2} << 20;
  const MemoryReport fits = report_memory(test_session(), FullMemory(std::int64_t{5} << 20), mine);
  EXPECT_EQ(fits.shortage, "");
  EXPECT_THAT(fits.text, HasSubstr("rank 0 (training)"));
  EXPECT_THAT(fits.text,
              ContainsRegex("gradients +3.0 MiB\n +activations +2.0 MiB\n +together +5.0"));
  const MemoryReport larger =
      report_memory(test_session(), FullMemory(std::int64_t{4} << 20), mine);
  EXPECT_THAT(larger.shortage, HasSubstr("would need 5.0 MiB of test memory on " +
                                         test_session().host() + ", where 4.0 MiB are available"));
}

}  // namespace
}  // namespace precis
