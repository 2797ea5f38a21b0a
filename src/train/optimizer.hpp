// AdamW over a model's parameters, with clipping by the global norm.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "io/model_file.hpp"
#include "model/owned_rows.hpp"
#include "model/parameters.hpp"
#include "model/shard_writer.hpp"
#include "parallel/communicator.hpp"
#include "parallel/owner_sum.hpp"
#include "train/pipeline.hpp"
#include "train/train_options.hpp"

namespace precis {

/// Owns the gradients, both moments and the count of updates of what this rank holds of one model.
/// Its functions are collective over the ranks that hold the model and its copies.
class Optimizer {
 public:
  struct Setup {
    std::int64_t parts = 1;          ///< a power of two: how many `form_gradients` adds up
    Communicator* copies = nullptr;  ///< the ranks of data parallelism; null: this one alone
    /// Each of them holds moments and sums of gradients of what it owns only (`owned_specs`), and
    /// gives the parameters there to the others.
    bool zero = false;
  };
  Optimizer(Device& device, const Parameters& layout, const Setup& setup);
  Optimizer(Device& device, const Parameters& layout) : Optimizer(device, layout, Setup{}) {}

  /// The gradients become the sum over the parts of a step's rows, ((0+1)+(2+3))+...: `add_part(i,
  /// gradients, complete)` adds those of part i, in one chain, to zeros, and may tell which are
  /// complete. With `zero` these are summed over the ranks meanwhile.
  using AddPart = std::function<void(std::int64_t part, Parameters& gradients,
                                     const Pipeline::Complete& complete)>;
  void form_gradients(const AddPart& add_part);
  /// What was formed, with the tensors of gradient_specs. With `zero` only what this rank owns is
  /// summed over the ranks.
  [[nodiscard]] Parameters& gradients() noexcept { return gradients_; }

  /// Sums the gradients over the ranks, in a tree as well, if that is still to be done. Returns the
  /// whole model's norm, before clipping to `clip_norm`: a guard looks at it before anything is
  /// changed.
  [[nodiscard]] double reduce(double clip_norm);
  /// Updates the parameters by the gradients that `reduce` summed and clipped.
  void apply(Parameters& parameters, const TrainOptions& options, double rate);

  [[nodiscard]] std::int64_t updates() const noexcept { return updates_; }

  /// The moments of a part of a checkpoint. The count of updates is the caller's to keep.
  void write(ShardWriter& file, std::string_view part, const ModelConfig& config) const;
  void read(const StateReader& file, std::string_view part, std::int64_t updates);

 private:
  /// Rows of a tensor whose moments this rank has.
  struct Owned {
    int tensor = 0;
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  [[nodiscard]] Parameters moments(Device& device, const Parameters& layout) const;
  [[nodiscard]] static View rows_of(Parameters& parameters, const Owned& owned) {
    return parameters.at(owned.tensor).rows(owned.begin, owned.end);
  }
  /// The gradients of parts [begin, end); `level` counts the halvings above.
  void sum_parts(std::int64_t begin, std::int64_t end, std::size_t level, Parameters& into,
                 const AddPart& add_part);
  /// All tensors from `first` on are complete in the last part: adds it to the others, and starts
  /// the sums over the ranks.
  void complete(int first);
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
  Communicator* copies_;
  bool zero_;
  Parameters gradients_, first_, second_;
  std::vector<Owned> owned_;                      // of the moments' tensors
  std::vector<Bucket> buckets_;                   // without `zero`: one
  std::size_t open_buckets_ = 0;                  // that are not complete, from the first on
  std::optional<OwnerSum> owner_sum_;             // with `zero`
  std::vector<Parameters> later_halves_;          // by level
  Tensor sum_of_squares_;                         // (exact_sum_words) i64
  Tensor rounded_sum_of_squares_, norm_, scale_;  // (1) f64, f64, f32
  std::int64_t updates_ = 0;
};

}  // namespace precis
