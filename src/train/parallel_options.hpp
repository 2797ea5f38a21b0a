// The keys `parallel.`: how training is spread over the ranks of a grid.
#pragma once

#include <cstdint>
#include <string>

#include "base/options.hpp"
#include "model/activations.hpp"
#include "train/schedule.hpp"

namespace precis {

enum class PipelineSchedule { gpipe, one_forward_one_backward, zero_bubble };

struct ParallelOptions {
  PipelineSchedule schedule = PipelineSchedule::one_forward_one_backward;
  std::string stages;  ///< blocks of each stage; empty: by cost
  Activations activations;
  bool zero = true;
};
void add_parallel_options(OptionTable& table, ParallelOptions& options);

/// Registers exact.tensor_parts, which every command that computes with a model has.
void add_tensor_parts_option(OptionTable& table, std::int64_t& parts);

[[nodiscard]] MakeSchedule schedule_of(PipelineSchedule schedule);

}  // namespace precis
