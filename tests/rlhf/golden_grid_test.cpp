// A grid of stages and shares against PyTorch (tests/golden/model), so that what is equal on all
// layouts is not equally wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/cpu/kernels.hpp"
#include "model/golden.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/box_of.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

class GoldenGrid : public testing::TestWithParam<const char*> {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  GoldenCase of = read_case(GetParam());
  std::vector<Example> examples;

  void SetUp() override {
    for (const Text& text : of.texts) {
      examples.emplace_back(SummaryRow(), text.prompt, text.response);
    }
  }

  /// What this rank holds of the case's model.
  [[nodiscard]] Model make_model_on(const ModelRanks& ranks) {
    const Model whole = make_golden_model(device, of);
    Model model = allocate_model(device, {of.config, {}}, ranks);
    for (const ParameterSpec& spec : model.parameters.specs()) {
      const auto box = box_of(device.to_host<float>(whole.parameters.at(spec.name)), spec.shard);
      const View tensor = model.parameters.at(spec.name);
      device.backend().copy_to_device(device.queue(), tensor, view_of(box.data(), tensor.shape()));
    }
    model.parameters.changed();
    return model;
  }
};

TEST_P(GoldenGrid, AgreesWithPyTorch) {
  const GridShape shape{.dp = 1, .pp = 2, .tp = 2};
  auto group = world.split(world.rank() < shape.ranks() ? 0 : -1, world.rank(), "golden");
  if (!group) {
    return;
  }
  ProcessGrid grid(std::move(group), shape, "golden");
  Model model = make_model_on(model_ranks(grid, "", 8));

  Evaluator evaluator(device, model.config, model.parameters, 40);
  std::vector<float> read;
  if (of.config.kind == ModelKind::language) {
    for (const auto& logprobs :
         evaluator.statistics(model.parameters, of.sequences(), 1.0).logprobs) {
      read.insert(read.end(), logprobs.begin(), logprobs.end());
    }
  } else {
    read = evaluator.rewards(model.parameters, of.sequences());
  }
  ASSERT_EQ(read.size(), of.read.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_NEAR(read[i], of.read[i], 1e-4) << i;
  }

  if (of.config.kind != ModelKind::language) {
    return;  // The case's pairs have prompts of their own, which no comparison has.
  }
  SftObjective objective(machine, model, grid.dp().group(), examples, {}, SftLoss::response, 40);
  Pipeline pipeline({.device = device,
                     .model = model,
                     .ranks = grid.whole(),
                     .micro_batch_tokens = 40,
                     .activations = {.recompute = Recompute::block, .sequence_parallel = true}});
  Optimizer optimizer(device, model.parameters, {.copies = &grid.dp(), .zero = true});
  TrainOptions options;
  options.weight_decay = of.json.at("weight_decay");
  options.clip_norm = of.json.at("clip_norm");
  std::vector<std::int64_t> rows(static_cast<std::size_t>(objective.facts().rows));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  const double weight = objective.weight(rows);
  for (std::size_t step = 0; step < of.losses.size(); ++step) {
    std::vector<ExactSum> sums(1);
    optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
      const LossSums mine = accumulate(pipeline, objective, rows, weight, gradients);
      sums[0] = model.parameters.parallel().place.speaks() ? mine.loss : ExactSum();
    });
    all_reduce(grid.whole(), sums);
    EXPECT_NEAR(sums[0].value() / weight, of.losses[step], 1e-4) << "after " << step << " updates";
    EXPECT_GT(optimizer.reduce(options.clip_norm), options.clip_norm);
    optimizer.apply(model.parameters, options, of.json.at("learning_rate"));
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases, GoldenGrid,
                         testing::Values("gpt2_tied", "gpt2_untied", "gpt2_wide", "llama", "neox",
                                         "qwen2", "reward"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace precis
