// The keys `train.`: steps and batches, the optimizer, its rate, validation.
#pragma once

#include <cstdint>

#include "base/options.hpp"
#include "kernels/kernels.hpp"
#include "train/parallel_options.hpp"

namespace precis {

enum class Schedule { constant, linear, cosine };
enum class KeepModel { last, best };

struct TrainOptions {
  std::int64_t steps = 0;
  std::int64_t stop_after = 0;
  std::int64_t epochs = 1;
  std::int64_t batch = 128;
  std::int64_t micro_batch_tokens = 8192;
  std::int64_t data_parts = 0;    ///< exact.data_parts; 0: not chosen yet (effective_parts)
  std::int64_t tensor_parts = 0;  ///< exact.tensor_parts; 0: not chosen yet
  double learning_rate = 6.35e-5;
  Schedule schedule = Schedule::cosine;
  std::int64_t warmup_steps = 0;
  double final_rate = 0.0;
  double weight_decay = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  EpsilonPlace epsilon_placement = EpsilonPlace::pytorch;
  double clip_norm = 1.0;
  ParallelOptions parallel = {};
  std::int64_t valid_every = 0;
  KeepModel keep = KeepModel::last;
};

/// Which command trains: it decides which `train.` keys exist and their defaults.
enum class TrainUse { sft, reward, ppo };
/// Sets the defaults of `use` in `options` and registers its keys.
void add_train_options(OptionTable& table, TrainOptions& options, TrainUse use);

}  // namespace precis
