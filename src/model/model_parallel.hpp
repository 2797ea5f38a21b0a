// How one copy of a model is spread over ranks: stages of layers, and shards of each tensor.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.hpp"
#include "model/tensor_share.hpp"
#include "parallel/process_grid.hpp"

namespace precis {

/// The blocks [first, last) of a model.
struct LayerRange {
  std::int64_t first = 0;
  std::int64_t last = 0;

  [[nodiscard]] std::int64_t size() const { return last - first; }
  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

/// Stands for the last layer of any model.
inline constexpr std::int64_t last_of_all = std::numeric_limits<std::int64_t>::max();

/// What one rank holds of a model: of a stage, a share of each matrix. By default the whole.
struct ModelPlace {
  int stage = 0;
  int stages = 1;
  LayerRange layers{.first = 0, .last = last_of_all};
  int tensor_rank = 0;
  int tensor_ranks = 1;
  /// exact.tensor_parts: in how many parts sums are formed that tensor parallelism cuts.
  std::int64_t tensor_parts = 1;
  /// The first and the last of several stages, where the output matrix is the token embedding: both
  /// hold it.
  bool shares_embedding = false;

  [[nodiscard]] bool is_first_stage() const { return stage == 0; }
  [[nodiscard]] bool is_last_stage() const { return stage + 1 == stages; }
  /// Whether this rank holds the model alone.
  [[nodiscard]] bool is_whole() const { return stages == 1 && tensor_ranks == 1; }
  /// Whether what it reports counts, of the ranks that compute the same loss.
  [[nodiscard]] bool speaks() const { return is_last_stage() && tensor_rank == 0; }
  [[nodiscard]] TensorShare share(const ModelConfig& config) const {
    return tensor_share(config, tensor_rank, tensor_ranks, tensor_parts);
  }
};

/// The place, and how this rank reaches the others that hold the same copy of the model.
struct ModelParallel {
  ModelPlace place;
  Communicator* pipeline = nullptr;  ///< ranks are stages; null: there is one
  Communicator* tensor = nullptr;    ///< the ranks that share this stage; null: this one alone
};

/// Stages of a model by what they cost: [0, layers) in `stages` ranges, each with a block at least,
/// so that the dearest is as cheap as can be. The output matrix counts by its parameters beside a
/// block's, for a quarter of the tokens, as losses are on responses; looking up embeddings is free.
/// Throws UsageError if there are fewer blocks than stages.
[[nodiscard]] std::vector<LayerRange> cut_stages(const ModelConfig& config, int stages);
/// The same as parallel.stages says it, "4,4,3,1": the blocks of each stage. Throws UsageError
/// unless they are so many numbers from 1 whose sum is the model's number of blocks.
[[nodiscard]] std::vector<LayerRange> given_stages(std::string_view text, const ModelConfig& config,
                                                   int stages);

/// The ranks that hold copies of models, before any model is known.
struct ModelRanks {
  int stage = 0;
  int stages = 1;
  std::string cut;  ///< parallel.stages; empty: by cost
  int tensor_rank = 0;
  int tensor_ranks = 1;
  std::int64_t tensor_parts = 1;  ///< exact.tensor_parts
  /// The kind that a model which is read will be made into, by which it is cut; none: its own.
  std::optional<ModelKind> as;
  Communicator* pipeline = nullptr;
  Communicator* tensor = nullptr;

  /// This rank's place in a model. Throws UsageError as cut_stages, given_stages and tensor_share
  /// do.
  [[nodiscard]] ModelParallel of(const ModelConfig& config) const;
  /// The place of another rank of the same copy.
  [[nodiscard]] ModelPlace place_of(const ModelConfig& config, int of_stage,
                                    int of_tensor_rank) const;
};

/// The models on a grid; `cut` is parallel.stages, `tensor_parts` exact.tensor_parts.
[[nodiscard]] ModelRanks model_ranks(ProcessGrid& grid, std::string cut, std::int64_t tensor_parts);

}  // namespace precis
