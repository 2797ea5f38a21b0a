// The keys `checkpoint.`: when a run writes its state, how many it keeps, what if it cannot.
#pragma once

#include <cstdint>

#include "base/options.hpp"

namespace precis {

enum class OnFailure { stop, warn };

struct CheckpointOptions {
  /// Checkpoints by time are at least this many times what the last one took apart: so they take at
  /// most a thirtieth of the run, however large the model is, and a run of minutes has one too.
  static constexpr int least_interval = 30;

  std::int64_t every_steps = 0;
  double every_minutes = 3;
  std::int64_t keep = 2;
  OnFailure on_failure = OnFailure::stop;
  bool resave = false;
};
void add_checkpoint_options(OptionTable& table, CheckpointOptions& options);

}  // namespace precis
