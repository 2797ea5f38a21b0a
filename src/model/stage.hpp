// The part of a model that one pipeline stage computes: embedding, blocks and final norm.
#pragma once

#include <memory>
#include <vector>

#include "data/packing.hpp"
#include "model/block.hpp"
#include "model/decode_plan.hpp"
#include "model/kv_cache.hpp"

namespace precis {

/// Puts a packed batch on the device.
[[nodiscard]] DeviceBatch upload(Workspace& workspace, const PackedBatch& batch);

/// Owns the activations that a forward pass saves for its backward pass, one slot a micro-batch in
/// flight. The parameters are given with each call, so that one stage serves any weights of its
/// shape. This version has one stage, which holds the whole model.
class Stage {
 public:
  Stage(Device& device, const ModelConfig& config, const Parameters& layout);

  /// Hidden states (N,C) after the final norm; what backward needs stays in `slot` until its next
  /// forward.
  [[nodiscard]] ConstView forward(const Parameters& parameters, const PackedBatch& batch, int slot);
  /// Adds the gradients of all parameters below the head to `gradients`, for dhidden (N,C) of the
  /// forward pass in `slot`.
  void backward(const Parameters& parameters, Parameters& gradients, int slot, ConstView dhidden);

  /// Hidden states (N,C) without saving anything, taken from `workspace`.
  [[nodiscard]] ConstView infer(const Parameters& parameters, Workspace& workspace,
                                const PackedBatch& batch) const;
  /// The same for whole prompts, whose keys and values go into `cache`: `sequences` (B) are their
  /// numbers there, each still empty.
  [[nodiscard]] ConstView prefill(const Parameters& parameters, Workspace& workspace,
                                  const PackedBatch& batch, KvCache& cache,
                                  std::span<const int> sequences) const;
  /// Hidden states (B,C) of one more token for each of B sequences, tokens (B), at these places.
  [[nodiscard]] ConstView decode(const Parameters& parameters, Workspace& workspace,
                                 const DecodePlaces& places, ConstView tokens,
                                 KvCache& cache) const;

  [[nodiscard]] const ModelConfig& config() const noexcept { return config_; }
  /// A workspace for the loss on top of the forward pass in `slot`; emptied by its next forward.
  [[nodiscard]] Workspace& workspace(int slot) {
    return slots_.at(static_cast<std::size_t>(slot))->workspace;
  }

 private:
  /// One micro-batch between its forward and its backward pass.
  struct Slot {
    explicit Slot(Device& device) : workspace(device) {}
    Workspace workspace;
    DeviceBatch batch;
    std::vector<Block::Saved> blocks;
    Norm::Saved final_norm;
  };

  [[nodiscard]] ConstView forward(const Parameters& parameters, const PackedBatch& batch,
                                  Slot& slot);
  void backward(const Parameters& parameters, Parameters& gradients, const Slot& slot,
                ConstView dhidden);
  [[nodiscard]] std::int64_t workspace_bytes() const;
  /// Where nothing is kept for a backward pass.
  [[nodiscard]] LayerContext inference(const Parameters& parameters, Workspace& workspace) const;
  [[nodiscard]] View embed(const LayerContext& context, const DeviceBatch& batch) const;
  [[nodiscard]] ConstView run(const LayerContext& context, const DeviceBatch& batch, KvCache* cache,
                              CacheAccess* access) const;

  Device* device_;
  ModelConfig config_;
  int token_embedding_;
  int position_embedding_;
  std::vector<Block> blocks_;
  Norm final_norm_;
  std::vector<std::unique_ptr<Slot>> slots_;
  Workspace gradient_workspace_;
};

}  // namespace precis
