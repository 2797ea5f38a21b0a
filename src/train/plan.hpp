// What a training would do and need, for `dry_run`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.hpp"
#include "train/machine.hpp"
#include "train/options.hpp"

namespace precis {

/// Copies of a model's weights that a rank holds: those of a trained one are the weights,
/// gradients, two moments and two packed copies; a frozen one has the weights and a packed copy.
inline constexpr std::int64_t trained_copies = 6;
inline constexpr std::int64_t frozen_copies = 2;

struct TrainingPlan {
  const ModelConfig& config;
  const TrainOptions& train;
  const Machine& machine;
  int ranks = 1;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> lengths;  ///< tokens of each training row
  std::int64_t validation_rows = 0;
};

/// Layout, model, rows, steps, tokens, micro-batches and memory of a rank, a line each. The memory
/// is an estimate: weights, gradients, moments, packed copies, and activations of the largest
/// micro-batch.
[[nodiscard]] std::string describe(const TrainingPlan& plan);

}  // namespace precis
