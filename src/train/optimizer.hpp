// AdamW over a model's parameters, with clipping by the global norm.
#pragma once

#include <functional>
#include <vector>

#include "io/model_file.hpp"
#include "model/parameters.hpp"
#include "model/shard_writer.hpp"
#include "parallel/communicator.hpp"
#include "train/train_options.hpp"

namespace precis {

/// Owns the gradients, both moments and the count of updates of what this rank holds of one model.
/// `form_gradients` is collective over the ranks that hold the others, `reduce` over all copies
/// too.
class Optimizer {
 public:
  /// `parts`, a power of two: how many `form_gradients` adds up.
  Optimizer(Device& device, const Parameters& layout, std::int64_t parts = 1);

  /// The gradients become the sum over the parts of a step's rows, ((0+1)+(2+3))+...: `add_part(i,
  /// gradients)` adds those of part i, in one chain, to zeros.
  using AddPart = std::function<void(std::int64_t part, Parameters& gradients)>;
  void form_gradients(const AddPart& add_part);
  /// What was formed, with the tensors of gradient_specs.
  [[nodiscard]] Parameters& gradients() noexcept { return gradients_; }

  /// Sums the gradients over the ranks, in a tree as well. Returns the whole model's norm, before
  /// clipping to `clip_norm`: a guard looks at it before anything is changed.
  [[nodiscard]] double reduce(Communicator& data_parallel, double clip_norm);
  /// Updates the parameters by the gradients that `reduce` summed and clipped.
  void apply(Parameters& parameters, const TrainOptions& options, double rate);

  [[nodiscard]] std::int64_t updates() const noexcept { return updates_; }

  /// The moments of a part of a checkpoint. The count of updates is the caller's to keep.
  void write(ShardWriter& file, std::string_view part, const ModelConfig& config) const;
  void read(const StateReader& file, std::string_view part, std::int64_t updates);

 private:
  /// The gradients of parts [begin, end); `level` counts the halvings above.
  void sum_parts(std::int64_t begin, std::int64_t end, std::size_t level, Parameters& into,
                 const AddPart& add_part);
  /// Adds to the gradients what has a tensor of its own until the end of a part: on the stages that
  /// share the embedding, each gives the other its sum.
  void join(Parameters& gradients);
  void exchange_shared(Parameters& gradients, int rows);
  /// The exact sum of the squares of all tensors that no other rank counts.
  void add_squares();
  /// All tensors of joined gradients.
  [[nodiscard]] static View joined(Parameters& gradients);

  Device* device_;
  std::int64_t parts_;
  Parameters gradients_, first_, second_;
  std::vector<Parameters> later_halves_;          // by level
  Tensor sum_of_squares_;                         // (exact_sum_words) i64
  Tensor rounded_sum_of_squares_, norm_, scale_;  // (1) f64, f64, f32
  std::int64_t updates_ = 0;
};

}  // namespace precis
