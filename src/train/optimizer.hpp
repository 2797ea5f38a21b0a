// AdamW over a model's parameters, with clipping by the global norm.
#pragma once

#include "io/model_file.hpp"
#include "model/parameters.hpp"
#include "parallel/communicator.hpp"
#include "train/train_options.hpp"

namespace precis {

/// Owns the gradients, both moments and the count of updates of one model.
class Optimizer {
 public:
  Optimizer(Device& device, const Parameters& layout);

  /// What backward passes add to (gradient_specs); zero after zero_gradients().
  [[nodiscard]] Parameters& gradients() noexcept { return gradients_; }
  void zero_gradients();

  /// Sums the gradients over the ranks. Returns their norm, before clipping to `clip_norm`: a guard
  /// looks at it before anything is changed.
  [[nodiscard]] double reduce(Communicator& data_parallel, double clip_norm);
  /// Updates the parameters by the gradients that `reduce` summed and clipped.
  void apply(Parameters& parameters, const TrainOptions& options, double rate);

  [[nodiscard]] std::int64_t updates() const noexcept { return updates_; }

  /// The moments of a part of a checkpoint. The count of updates is the caller's to keep.
  void write(StateWriter& file, std::string_view part) const;
  void read(const StateReader& file, std::string_view part, std::int64_t updates);

 private:
  /// All tensors of gradients, with nothing left to be added to them.
  [[nodiscard]] View joined_gradients();

  Device* device_;
  Parameters gradients_, first_, second_;
  Tensor sum_of_squares_;                         // (exact_sum_words) i64
  Tensor rounded_sum_of_squares_, norm_, scale_;  // (1) f64, f64, f32
  std::int64_t updates_ = 0;
};

}  // namespace precis
