// The part of a model that one pipeline stage computes: embedding, blocks and final norm.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "data/packing.hpp"
#include "device/arena.hpp"
#include "model/activations.hpp"
#include "model/block.hpp"
#include "model/decode_plan.hpp"
#include "model/kv_cache.hpp"

namespace precis {

/// Puts a packed batch on the device.
[[nodiscard]] DeviceBatch upload(Workspace& workspace, const PackedBatch& batch);

/// Keeps the activations that a forward pass saves for its backward pass in its arena, one slot a
/// micro-batch in flight. The parameters are given with each call, so that one stage serves any
/// weights of its shape.
class Stage {
 public:
  /// What `layout` holds of the model. `arena`: null for one of its own.
  Stage(Device& device, const ModelConfig& config, const Parameters& layout,
        std::shared_ptr<Arena> arena = nullptr, const Activations& activations = {});
  /// A range of blocks: the stage with the first one has the embedding too, that with the last one
  /// the final norm. `layout` need not have more than its tensors.
  Stage(Device& device, const ModelConfig& config, const Parameters& layout, LayerRange layers,
        std::shared_ptr<Arena> arena = nullptr, const Activations& activations = {});

  [[nodiscard]] bool has_embedding() const noexcept { return layers_.first == 0; }
  [[nodiscard]] bool has_final_norm() const noexcept { return layers_.last == config_.layers; }

  /// Fills the residual stream, (N,C) or this rank's rows of it, with what the stage before gives.
  using Receive = std::function<void(View input)>;
  /// Hidden states for the next stage, (N,C) (or this rank's rows of it), or, after the final norm,
  /// for the head, (P,C): at the rows that the batch says are read, or at all. A stage that does
  /// not embed the tokens calls `receive` first. The result and what the backward pass needs stay
  /// in `slot` until its next forward.
  [[nodiscard]] ConstView forward(const Parameters& parameters, const PackedBatch& batch, int slot,
                                  const Receive& receive = {});
  /// For the gradient dout of the result of the forward pass in `slot`: adds the gradients of the
  /// stage's parameters, and returns the gradient (N,C) of its input, valid until the next such
  /// call; empty for the stage that has none. Layer by layer, so that little is held. `last`: no
  /// further micro-batch adds to these gradients.
  ConstView backward(const Parameters& parameters, Parameters& gradients, int slot, ConstView dout,
                     bool last = true);
  /// The same in two calls, between which there may be others: the first gives the input's gradient
  /// and adds those of the norms; the second adds the rest. What it needs, with activations that
  /// were computed again, is held from the one to the other in the arena's memory `deferred`.
  ConstView input_gradient(const Parameters& parameters, Parameters& gradients, int slot,
                           ConstView dout, int deferred = 0);
  void weight_gradient(const Parameters& parameters, Parameters& gradients, int slot,
                       bool last = true);

  /// The same without saving anything, taken from `workspace`.
  [[nodiscard]] ConstView infer(const Parameters& parameters, Workspace& workspace,
                                const PackedBatch& batch, const Receive& receive = {}) const;
  /// The same for whole prompts, whose keys and values go into `cache`: `sequences` (B) are their
  /// numbers there, each still empty.
  [[nodiscard]] ConstView prefill(const Parameters& parameters, Workspace& workspace,
                                  const PackedBatch& batch, KvCache& cache,
                                  std::span<const int> sequences,
                                  const Receive& receive = {}) const;
  /// Hidden states (B,C) of one more token for each of B sequences, tokens (B), at these places.
  [[nodiscard]] ConstView decode(const Parameters& parameters, Workspace& workspace,
                                 const DecodePlaces& places, ConstView tokens, KvCache& cache,
                                 const Receive& receive = {}) const;

  /// From now on `between` is called after each block of a training pass, with the number of the
  /// tensor from which on all gradients of this stage are complete, if any; empty: nothing is.
  using BetweenBlocks = std::function<void(std::optional<int> complete_from)>;
  void call_between_blocks(BetweenBlocks between) { between_blocks_ = std::move(between); }

  [[nodiscard]] const ModelConfig& config() const noexcept { return config_; }
  /// A workspace for the loss on top of the forward pass in `slot`, which resets it; that of slot 0
  /// also serves passes that save nothing.
  [[nodiscard]] Workspace& workspace(int slot) const { return arena_->slot(slot); }

 private:
  /// One micro-batch between its forward and its backward pass.
  struct Slot {
    DeviceBatch batch;
    std::vector<View> inputs;  // (N,C) of the blocks that are computed again
    std::vector<Block::Saved> blocks;
    Norm::Saved final_norm;
    // From input_gradient to weight_gradient.
    int deferred = -1;  // the number of their workspace
    std::vector<Block::Gradients> gradients;
    ConstView dinput;  // (N,C)
  };

  /// Runs `work`; memory that cannot be had is an error with the number of tokens that would fit.
  template <class Work>
  void with_fitting(const Work& work) const;
  void between_blocks() const {
    if (between_blocks_) {
      between_blocks_(std::nullopt);
    }
  }
  /// The same after the gradients of a block's weights.
  void after_gradients(const LayerContext& context, const Slot& slot, Parameters& gradients,
                       std::size_t block, bool last) const;
  [[nodiscard]] Slot& slot_at(int slot) { return slots_.at(static_cast<std::size_t>(slot)); }
  /// The rows at which a block's output is wanted.
  [[nodiscard]] const OutputRows& rows_after(std::size_t layer, const DeviceBatch& batch) const;
  /// The batch on the device; in training its rows may be divided among ranks.
  [[nodiscard]] DeviceBatch upload_for_training(const LayerContext& context,
                                                const PackedBatch& batch) const;
  /// The blocks before `end` on the residual stream x (N,C): keeps in `kept` the input of each, or
  /// (not `all`) of the first one, and nothing else. Returns the stream after them.
  [[nodiscard]] View run_blocks(const Parameters& parameters, const DeviceBatch& batch, View x,
                                std::size_t end, bool all, Workspace& kept,
                                std::vector<View>& inputs) const;
  /// Where blocks are computed again: the input of each, in `kept` if the slot does not have it.
  [[nodiscard]] std::vector<View> inputs_again(const Parameters& parameters, const Slot& slot,
                                               Workspace& kept) const;
  /// What a block has saved, computed again into `kept` if it was not.
  void activations_again(const Parameters& parameters, Slot& slot, const std::vector<View>& inputs,
                         std::size_t layer, Workspace& kept) const;
  /// The gradient (P,C) of the residual stream after the last block.
  [[nodiscard]] View begin_backward(const LayerContext& context, Parameters& gradients,
                                    const Slot& slot, ConstView dout) const;
  void embedding_gradient(const LayerContext& context, Parameters& gradients, const Slot& slot,
                          ConstView dinput) const;
  /// Where nothing is kept for a backward pass.
  [[nodiscard]] LayerContext inference(const Parameters& parameters, Workspace& workspace) const;
  [[nodiscard]] LayerContext training(const Parameters& parameters, Workspace& workspace) const;
  [[nodiscard]] View embed(const LayerContext& context, const DeviceBatch& batch) const;
  /// The residual stream (N,C) before the first block: embedded, or received.
  [[nodiscard]] View begin(const LayerContext& context, const DeviceBatch& batch,
                           const Receive& receive) const;
  /// The blocks and the final norm, on the residual stream x (N,C), which is written over.
  [[nodiscard]] ConstView run(const LayerContext& context, const DeviceBatch& batch, View x,
                              KvCache* cache, CacheAccess* access) const;

  Device* device_;
  ModelConfig config_;
  LayerRange layers_;
  int token_embedding_ = -1;
  std::int64_t first_token_ = 0;  ///< Of the rows of the token embedding.
  int position_embedding_ = -1;
  std::vector<Block> blocks_;
  Norm final_norm_;
  std::vector<Slot> slots_;
  BetweenBlocks between_blocks_;
  std::shared_ptr<Arena> arena_;
  Activations activations_;
};

}  // namespace precis
