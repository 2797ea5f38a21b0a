// What a rank holds of a model of a gigabyte on different grids, counted.
#include <gtest/gtest.h>

#include "device/counting_device.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/model.hpp"
#include "model/planned_grid.hpp"
#include "model/sequences.hpp"
#include "model/stage.hpp"
#include "train/optimizer.hpp"

namespace precis {
namespace {

/// 271 million parameters, a tied embedding of 33 million among them.
ModelConfig gigabyte() {
  ModelConfig config;
  config.layers = 19;
  config.width = 1024;
  config.heads = 16;
  config.vocabulary = 32000;
  config.position = PositionKind::rotary;
  complete(config);
  return config;
}

/// Bytes of a rank at the end of a step.
struct Held {
  std::int64_t parameters = 0;
  std::int64_t gradients = 0;
  std::int64_t moments = 0;
  std::int64_t activations = 0;
};

struct Training {
  GridShape grid;
  bool zero = false;
  Activations activations = {};
  int in_flight = 1;  ///< micro-batches
};

/// What the first stage holds with a micro-batch of so many rows in each slot, and after it.
Held held_on(const Training& training) {
  Device device = counting_device(Device(cpu::backend));
  PlannedGrid planned(0, training.grid, "", 8);
  const ModelConfig config = gigabyte();
  const Model model = allocate_model(device, {config, {}}, planned.models);
  Optimizer optimizer(device, model.parameters, {.copies = &planned.copies, .zero = training.zero});
  Stage stage(device, config, model.parameters, nullptr, training.activations);
  const std::vector<std::int32_t> tokens(512, 1);
  const std::vector<Sequence> sequences(
      4, {.prompt = std::span(tokens).first(1), .response = std::span(tokens).subspan(1)});
  ConstView hidden;
  for (int slot = 0; slot < training.in_flight; ++slot) {
    hidden = stage.forward(model.parameters, pack_whole(sequences), slot);
  }
  Workspace loss(device);
  for (int slot = 0; slot < training.in_flight; ++slot) {
    stage.backward(model.parameters, optimizer.gradients(), slot,
                   loss.zeros(hidden.shape(), hidden.dtype()));
  }
  const MemoryCount& held = device.memory().held();
  return {.parameters = held.of(MemoryUse::parameters),
          .gradients = held.of(MemoryUse::gradients),
          .moments = held.of(MemoryUse::optimizer_state),
          .activations = held.of(MemoryUse::activations)};
}

double share(std::int64_t part, std::int64_t all) {
  return static_cast<double>(part) / static_cast<double>(all);
}

TEST(HeldMemory, OfARankOfFourThatShareTheLayersIsAQuarter) {
  const Held whole = held_on({.grid = {}});
  const Held quarter = held_on({.grid = {.tp = 4}});
  EXPECT_NEAR(share(quarter.parameters, whole.parameters), 0.25, 0.25 * 0.02);
  EXPECT_NEAR(share(quarter.gradients, whole.gradients), 0.25, 0.25 * 0.02);
  EXPECT_NEAR(share(quarter.moments, whole.moments), 0.25, 0.25 * 0.02);
}

TEST(HeldMemory, OfTheMomentsOfFourCopiesIsAQuarterWithZero) {
  const Held whole = held_on({.grid = {.dp = 4}});
  const Held zero = held_on({.grid = {.dp = 4}, .zero = true});
  EXPECT_NEAR(share(zero.moments, whole.moments), 0.25, 0.25 * 0.02);
  EXPECT_EQ(zero.parameters, whole.parameters);
  // Beside the gradients there is room for what comes from the others.
  EXPECT_LE(share(zero.gradients, whole.gradients), 1.05);
}

TEST(HeldMemory, OfActivationsIsLessWhereTheyAreComputedAgainOrDivided) {
  const Held kept = held_on({.grid = {}});
  const Held blocks = held_on({.grid = {}, .activations = {.recompute = Recompute::block}});
  EXPECT_LT(share(blocks.activations, kept.activations), 0.25);
  const Training many{.grid = {.pp = 3}, .in_flight = 3};
  Training all_blocks = many;
  all_blocks.activations.recompute = Recompute::block;
  Training full = many;
  full.activations.recompute = Recompute::full;
  EXPECT_LT(held_on(all_blocks).activations, held_on(many).activations / 3);
  EXPECT_LT(held_on(full).activations, held_on(all_blocks).activations);

  const Held shared = held_on({.grid = {.tp = 4}});
  const Held divided = held_on({.grid = {.tp = 4}, .activations = {.sequence_parallel = true}});
  EXPECT_LT(share(divided.activations, shared.activations), 0.8);
}

}  // namespace
}  // namespace precis
