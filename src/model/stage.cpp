#include "model/stage.hpp"

#include "model/memory_fit.hpp"

namespace precis {

DeviceBatch upload(Workspace& workspace, const PackedBatch& batch) {
  return {.tokens = workspace.upload(batch.tokens),
          .positions = workspace.upload(batch.positions),
          .offsets = workspace.upload(batch.offsets)};
}

Stage::Stage(Device& device, const ModelConfig& config, const Parameters& layout)
    : device_(&device),
      config_(config),
      token_embedding_(layout.find("embedding/token")),
      position_embedding_(layout.find("embedding/position")),
      final_norm_(Norm::find(layout, config, "final_norm")),
      gradient_workspace_(device) {
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    blocks_.push_back(Block::find(layout, config, layer));
  }
}

View Stage::embed(const LayerContext& c, const DeviceBatch& batch) const {
  View x =
      c.workspace.take({batch.tokens.extent(0), config_.width}, device_->precision());  // (N,C)
  c.kernels().embedding_forward(c.queue(), x, c.parameters.at(token_embedding_), batch.tokens,
                                Write::overwrite);
  if (position_embedding_ >= 0) {
    c.kernels().embedding_forward(c.queue(), x, c.parameters.at(position_embedding_),
                                  batch.positions, Write::accumulate);
  }
  return x;
}

ConstView Stage::forward(const Parameters& parameters, const PackedBatch& batch, int slot_number) {
  while (slots_.size() <= static_cast<std::size_t>(slot_number)) {
    slots_.push_back(std::make_unique<Slot>(*device_));
  }
  Slot& slot = *slots_[static_cast<std::size_t>(slot_number)];
  try {
    return forward(parameters, batch, slot);
  } catch (const OutOfMemory& error) {
    throw with_fitting_tokens(error, *device_, workspace_bytes(),
                              training_bytes_a_token(config_, *device_));
  }
}

ConstView Stage::forward(const Parameters& parameters, const PackedBatch& batch, Slot& slot) {
  slot.workspace.reset();
  slot.blocks.assign(blocks_.size(), {});
  slot.batch = upload(slot.workspace, batch);

  const LayerContext context{*device_, parameters, slot.workspace};
  ConstView x = embed(context, slot.batch);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    x = blocks_[layer].forward(context, slot.batch, x, nullptr, slot.blocks[layer]);
  }
  return final_norm_.forward(context, x, slot.final_norm);
}

void Stage::backward(const Parameters& parameters, Parameters& gradients, int slot_number,
                     ConstView dhidden) {
  const Slot& slot = *slots_.at(static_cast<std::size_t>(slot_number));
  try {
    backward(parameters, gradients, slot, dhidden);
  } catch (const OutOfMemory& error) {
    throw with_fitting_tokens(error, *device_, workspace_bytes(),
                              training_bytes_a_token(config_, *device_));
  }
}

void Stage::backward(const Parameters& parameters, Parameters& gradients, const Slot& slot,
                     ConstView dhidden) {
  gradient_workspace_.reset();
  const LayerContext context{*device_, parameters, gradient_workspace_};

  View dx = gradient_workspace_.zeros(dhidden.shape(), dhidden.dtype());  // (N,C)
  final_norm_.backward(context, gradients, dx, dhidden, slot.final_norm);
  for (std::size_t layer = blocks_.size(); layer-- > 0;) {
    // Only dx goes on to the block below, so the rest of this block's memory is given back.
    const WorkspaceScope scope(gradient_workspace_);
    Block::Gradients of;
    const ConstView below =
        blocks_[layer].input_gradient(context, slot.batch, gradients, dx, slot.blocks[layer], of);
    blocks_[layer].weight_gradient(context, gradients, slot.blocks[layer], of);
    context.kernels().copy(context.queue(), dx, below);
  }
  context.kernels().embedding_backward(context.queue(), gradients.at(token_embedding_), dx,
                                       slot.batch.tokens);
  if (position_embedding_ >= 0) {
    context.kernels().embedding_backward(context.queue(), gradients.at(position_embedding_), dx,
                                         slot.batch.positions);
  }
}

std::int64_t Stage::workspace_bytes() const {
  std::int64_t bytes = gradient_workspace_.bytes();
  for (const auto& slot : slots_) {
    bytes += slot->workspace.bytes();
  }
  return bytes;
}

ConstView Stage::run(const LayerContext& c, const DeviceBatch& batch, KvCache* cache,
                     CacheAccess* access) const {
  View x = embed(c, batch);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    const WorkspaceScope scope(c.workspace);
    if (cache != nullptr) {
      access->keys = cache->keys(static_cast<std::int64_t>(layer));
      access->values = cache->values(static_cast<std::int64_t>(layer));
    }
    Block::Saved saved;
    const ConstView y = blocks_[layer].forward(c, batch, x, access, saved);
    c.kernels().copy(c.queue(), x, y);
  }
  Norm::Saved saved;
  return final_norm_.forward(c, x, saved);
}

LayerContext Stage::inference(const Parameters& parameters, Workspace& workspace) const {
  return {*device_, parameters, workspace, true};
}

ConstView Stage::infer(const Parameters& parameters, Workspace& workspace,
                       const PackedBatch& batch) const {
  return run(inference(parameters, workspace), upload(workspace, batch), nullptr, nullptr);
}

ConstView Stage::prefill(const Parameters& parameters, Workspace& workspace,
                         const PackedBatch& batch, KvCache& cache,
                         std::span<const int> sequences) const {
  std::vector<std::int32_t> slots;
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const std::int64_t tokens = batch.offsets[b + 1] - batch.offsets[b];
    cache.append(sequences[b], tokens);
    for (std::int64_t position = 0; position < tokens; ++position) {
      slots.push_back(cache.slot(sequences[b], position));
    }
  }
  CacheAccess access;
  access.slots = workspace.upload(slots);
  return run(inference(parameters, workspace), upload(workspace, batch), &cache, &access);
}

ConstView Stage::decode(const Parameters& parameters, Workspace& workspace,
                        const DecodePlaces& places, ConstView tokens, KvCache& cache) const {
  CacheAccess access;
  access.slots = places.slots;
  access.tables = places.tables;
  access.lengths = places.lengths;
  const DeviceBatch batch{.tokens = tokens, .positions = places.positions, .offsets = {}};
  return run(inference(parameters, workspace), batch, &cache, &access);
}

}  // namespace precis
