// The gradient of a step is the same whatever schedule takes its micro-batches through the stage.
#include "train/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_test.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

std::vector<Action> weights_last(StagePlace /*place*/, std::int64_t micro_batches) {
  std::vector<Action> actions;
  for (const ActionKind kind :
       {ActionKind::forward, ActionKind::input_gradient, ActionKind::weight_gradient}) {
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      actions.push_back({kind, m});
    }
  }
  return actions;
}

TEST(Pipeline, GivesTheBitsOfOneMicroBatchAfterAnotherByAnySchedule) {
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  RankGroup& world = test_session().world();
  std::vector<Example> examples;
  for (const Text& text : ragged_texts(6, 61)) {
    examples.emplace_back(SummaryRow(), text.prompt, text.response);
  }
  std::vector<std::int64_t> rows(examples.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  for (const ResidualKind residual : {ResidualKind::sequential, ResidualKind::parallel}) {
    const auto config = tiny_config([&](ModelConfig& c) {
      c.residual = residual;
      c.tied = false;  // Else head and embedding would add to one tensor, in the schedule's order.
    });
    const Model model = make_model(machine.device, config, {}, 3);
    constexpr std::int64_t micro_batch_tokens = 60;
    SftObjective objective(machine, model, world, examples, {}, SftLoss::response,
                           micro_batch_tokens);
    objective.begin(rows, 1);
    ASSERT_GE(split_micro_batches(objective.lengths(), micro_batch_tokens).size(), 3);
    const auto gradient = [&](MakeSchedule schedule) {
      Pipeline pipeline({.device = machine.device,
                         .model = model,
                         .ranks = world,
                         .micro_batch_tokens = micro_batch_tokens,
                         .schedule = schedule});
      Parameters gradients(machine.device, model.parameters.specs());
      EXPECT_GT(accumulate(pipeline, objective, rows, objective.weight(rows), gradients).tokens, 0);
      return machine.device.to_host<float>(gradients.flat());
    };
    const auto expected = gradient(one_forward_one_backward);
    EXPECT_THAT(expected, testing::Contains(testing::Gt(1e-4F)));
    EXPECT_EQ(gradient(zero_bubble), expected);
    EXPECT_EQ(gradient(gpipe), expected);
    EXPECT_EQ(gradient(weights_last), expected);
  }
}

}  // namespace
}  // namespace precis
