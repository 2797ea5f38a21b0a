// Models and moments that ranks hold shards of, written to a file by one of these ranks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.hpp"
#include "parallel/process_grid.hpp"

namespace precis {

/// Tensor after tensor, the writing rank asks the owners for their boxes and writes the whole, so
/// that it never holds more than one tensor beside its own shards. All ranks of the grid construct
/// one, call the same functions in the same order, and destroy it: an owner serves until then, so
/// that the writing rank can stop at any time, when the disk is full.
class ShardWriter {
 public:
  /// `file` on the grid's rank 0, which writes; null on the others. `ranks`: how the models are
  /// spread over the grid.
  ShardWriter(StateWriter* file, Device& device, ProcessGrid& grid, const ModelRanks& ranks);
  /// On the writing rank: lets the owners go. On the others: waits for that.
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// A part's configuration, tokenizer and weights ("" is a model file's only part).
  void part(std::string_view part, const Model& model);
  void part(std::string_view part, const ModelConfig& config,
            const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters);
  /// Whether every copy of a model (data parallelism) holds the tensors, or each what it owns
  /// (`owned_specs`).
  enum class Held : std::uint8_t { by_copies, by_owners };
  /// Tensors with the names and shapes of the parameters of a model with this configuration,
  /// written to `path_of(part, name)`.
  void tensors(std::string_view part, TensorPath path_of, const ModelConfig& config,
               const Parameters& tensors, Held held = Held::by_copies);

 private:
  /// A box of a tensor and the rank that has it.
  struct Piece {
    int rank = 0;
    Shard shard;
  };
  /// By tensor.
  using Pieces = std::map<std::string, std::vector<Piece>>;
  [[nodiscard]] Pieces pieces_of(const ModelConfig& config, Held held) const;
  void gather(const std::string& path, const ParameterSpec& whole, const std::vector<Piece>& pieces,
              const Parameters& tensors);
  void serve(const std::string& name, const Parameters& tensors);
  [[nodiscard]] std::int64_t next_request();
  void end();
  /// Whether a rank has boxes that count.
  [[nodiscard]] bool gives(int rank, Held held) const {
    return held == Held::by_owners || coordinates_of(rank, grid_.shape()).dp == 0;
  }

  StateWriter* file_;
  Device& device_;
  ProcessGrid& grid_;
  const ModelRanks& ranks_;
  bool served_ = false;  ///< an owner that has been let go
  Unwinding unwinding_;
};

/// Collective over `world`, whose rank 0 is the grid's: writes a model file, under its name only
/// when it is complete.
void save_model(RankGroup& world, const std::filesystem::path& path, Device& device,
                ProcessGrid& grid, const ModelRanks& ranks, const ModelConfig& config,
                const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters);

}  // namespace precis
