// The keys that training commands share: the run, the machine, the optimizer, checkpoints.
#pragma once

#include <cstdint>
#include <string>

#include "base/log_options.hpp"
#include "base/options.hpp"
#include "kernels/kernels.hpp"

namespace precis {

/// What `sample` and `score` have too.
struct MachineOptions {
  std::int64_t seed = 1;
  std::int64_t threads = 0;
  std::string grid;
  std::string device = "auto";
  std::string precision;  ///< empty: the device's own
  double watchdog_seconds = 600;
};
void add_machine_options(OptionTable& table, MachineOptions& options);

struct RunOptions {
  MachineOptions machine;
  std::string run;
  std::string end_time;
  bool trace = false;
  bool dry_run = false;
  LogOptions log;
  bool tensorboard = false;
};
void add_run_options(OptionTable& table, RunOptions& options);

enum class OnFailure { stop, warn };

struct CheckpointOptions {
  /// Times what the last checkpoint took, between two by time: so that they take a thirtieth of the
  /// run at most, however large the model is, and a run of minutes has one too.
  static constexpr int least_interval = 30;

  std::int64_t every_steps = 0;
  double every_minutes = 3;
  std::int64_t keep = 2;
  OnFailure on_failure = OnFailure::stop;
  bool resave = false;
};
void add_checkpoint_options(OptionTable& table, CheckpointOptions& options);

enum class Schedule { constant, linear, cosine };
enum class KeepModel { last, best };

struct TrainOptions {
  std::int64_t steps = 0;
  std::int64_t stop_after = 0;
  std::int64_t epochs = 1;
  std::int64_t batch = 128;
  std::int64_t micro_batch_tokens = 8192;
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
  std::int64_t valid_every = 0;
  KeepModel keep = KeepModel::last;
};

/// Which command trains: it decides which `train.` keys exist and their defaults.
enum class TrainUse { sft, reward, ppo };
/// Sets the defaults of `use` in `options` and registers its keys.
void add_train_options(OptionTable& table, TrainOptions& options, TrainUse use);

}  // namespace precis
