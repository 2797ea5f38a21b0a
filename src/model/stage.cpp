#include "model/stage.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "model/memory_fit.hpp"

namespace precis {

DeviceBatch upload(Workspace& workspace, const PackedBatch& batch) {
  return {.tokens = workspace.upload(batch.tokens),
          .positions = workspace.upload(batch.positions),
          .offsets = workspace.upload(batch.offsets),
          .read = batch.read ? ConstView(workspace.upload(*batch.read)) : ConstView{}};
}

Stage::Stage(Device& device, const ModelConfig& config, const Parameters& layout,
             std::shared_ptr<Arena> arena)
    : Stage(device, config, layout,
            {layout.parallel().place.layers.first,
             std::min(layout.parallel().place.layers.last, config.layers)},
            std::move(arena)) {}

Stage::Stage(Device& device, const ModelConfig& config, const Parameters& layout, LayerRange layers,
             std::shared_ptr<Arena> arena)
    : device_(&device),
      config_(config),
      layers_(layers),
      arena_(shared_or_own(std::move(arena), device)) {
  if (has_embedding()) {
    token_embedding_ = layout.find("embedding/token");
    position_embedding_ = layout.find("embedding/position");
    first_token_ = layout.specs()[static_cast<std::size_t>(token_embedding_)].shard.offset[0];
  }
  require(layers.first < layers.last && layers.last <= config.layers,
          "A stage of the layers [{}, {}) was asked for; the model has {}.", layers.first,
          layers.last, config.layers);
  for (std::int64_t layer = layers.first; layer < layers.last; ++layer) {
    blocks_.push_back(Block::find(layout, config, layer));
  }
  if (has_final_norm()) {
    final_norm_ = Norm::find(layout, config, "final_norm");
  }
}

View Stage::embed(const LayerContext& c, const DeviceBatch& batch) const {
  View x = c.workspace.take({batch.tokens.extent(0), config_.width},
                            device_->precision());  // (N,C)
  c.kernels().embedding_forward(c.queue(), x, c.parameters.at(token_embedding_), batch.tokens,
                                first_token_, Write::overwrite);
  if (Communicator* const ranks = c.tensor(); ranks != nullptr) {
    require(x.dtype() == DType::f32, "Ranks share a layer in f32 only, not in {}.",
            name_of(x.dtype()));
    // Each row is on one rank; the others have zeros, and sums of bits are exact.
    ranks->all_reduce(c.queue(), View(x.bytes(), DType::i32, x.shape()), Reduction::sum);
  }
  if (position_embedding_ >= 0) {
    c.kernels().embedding_forward(c.queue(), x, c.parameters.at(position_embedding_),
                                  batch.positions, 0, Write::accumulate);
  }
  return x;
}

template <class Work>
void Stage::with_fitting(const Work& work) const {
  try {
    work();
  } catch (const OutOfMemory& error) {
    throw with_fitting_tokens(error, *device_, arena_->bytes(),
                              training_bytes_a_token(config_, *device_));
  }
}

View Stage::begin(const LayerContext& c, const DeviceBatch& batch, const Receive& receive) const {
  if (has_embedding()) {
    return embed(c, batch);
  }
  require(static_cast<bool>(receive), "A stage without the embedding was given nothing to go on.");
  View x = c.workspace.take({batch.tokens.extent(0), config_.width}, device_->precision());
  receive(x);
  return x;
}

ConstView Stage::forward(const Parameters& parameters, const PackedBatch& batch, int slot_number,
                         const Receive& receive) {
  slots_.resize(std::max(slots_.size(), static_cast<std::size_t>(slot_number) + 1));
  Slot& slot = slot_at(slot_number);
  ConstView x;  // (N,C)
  with_fitting([&] {
    const LayerContext context{*device_, parameters, workspace(slot_number)};
    context.workspace.reset();
    slot.blocks.assign(blocks_.size(), {});
    slot.batch = upload(context.workspace, batch);
    x = begin(context, slot.batch, receive);
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
      x = blocks_[layer].forward(context, slot.batch, x, read_after(layer, slot.batch), {}, nullptr,
                                 slot.blocks[layer]);
      between_blocks();
    }
    if (has_final_norm()) {
      x = final_norm_.forward(context, x, slot.final_norm);
    }
  });
  return x;
}

ConstView Stage::read_after(std::size_t layer, const DeviceBatch& batch) const {
  return has_final_norm() && layer + 1 == blocks_.size() ? batch.read : ConstView{};
}

View Stage::begin_backward(const LayerContext& c, Parameters& gradients, const Slot& slot,
                           ConstView dout) const {
  if (has_final_norm()) {
    View stream = c.workspace.zeros(dout.shape(), dout.dtype());
    final_norm_.backward(c, gradients, stream, dout, slot.final_norm);
    return stream;
  }
  View stream = c.workspace.take(dout.shape(), dout.dtype());
  c.kernels().copy(c.queue(), stream, dout);
  return stream;
}

void Stage::embedding_gradient(const LayerContext& c, Parameters& gradients, const Slot& slot,
                               ConstView dinput) const {
  const int rows = gradients.find(embedded_rows_gradient);
  c.kernels().embedding_backward(c.queue(), gradients.at(rows >= 0 ? rows : token_embedding_),
                                 dinput, slot.batch.tokens, first_token_);
  if (position_embedding_ >= 0) {
    c.kernels().embedding_backward(c.queue(), gradients.at(position_embedding_), dinput,
                                   slot.batch.positions, 0);
  }
}

ConstView Stage::backward(const Parameters& parameters, Parameters& gradients, int slot_number,
                          ConstView dout) {
  const Slot& slot = slot_at(slot_number);
  View stream;  // (N,C)
  with_fitting([&] {
    const LayerContext context{*device_, parameters, arena_->backward()};
    context.workspace.reset();
    stream = begin_backward(context, gradients, slot, dout);
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      stream = blocks_[layer].backward(context, slot.batch, gradients, stream, slot.blocks[layer]);
      between_blocks();
    }
    if (has_embedding()) {
      embedding_gradient(context, gradients, slot, stream);
    }
  });
  return has_embedding() ? ConstView{} : ConstView(stream);
}

ConstView Stage::input_gradient(const Parameters& parameters, Parameters& gradients,
                                int slot_number, ConstView dout) {
  Slot& slot = slot_at(slot_number);
  with_fitting([&] {
    slot.gradients.assign(blocks_.size(), {});
    const LayerContext context{*device_, parameters, workspace(slot_number)};
    View stream = begin_backward(context, gradients, slot, dout);
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      stream = blocks_[layer].input_gradient(context, slot.batch, gradients, stream,
                                             slot.blocks[layer], slot.gradients[layer]);
      between_blocks();
    }
    slot.dinput = stream;
  });
  return has_embedding() ? ConstView{} : slot.dinput;
}

void Stage::weight_gradient(const Parameters& parameters, Parameters& gradients, int slot_number) {
  Slot& slot = slot_at(slot_number);
  with_fitting([&] {
    const LayerContext context{*device_, parameters, workspace(slot_number)};
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      blocks_[layer].weight_gradient(context, gradients, slot.blocks[layer], slot.gradients[layer]);
      between_blocks();
    }
    if (has_embedding()) {
      embedding_gradient(context, gradients, slot, slot.dinput);
    }
  });
}

ConstView Stage::run(const LayerContext& c, const DeviceBatch& batch, View x, KvCache* cache,
                     CacheAccess* access) const {
  // Only the rows that are read, if not all are.
  View last =
      batch.read.empty() ? x : c.workspace.take({batch.read.extent(0), config_.width}, x.dtype());
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    const WorkspaceScope scope(c.workspace);
    if (cache != nullptr) {
      access->keys = cache->keys(static_cast<std::int64_t>(layer));
      access->values = cache->values(static_cast<std::int64_t>(layer));
    }
    Block::Saved saved;
    const ConstView read = read_after(layer, batch);
    x = blocks_[layer].forward(c, batch, x, read, read.empty() ? x : last, access, saved);
  }
  if (!has_final_norm()) {
    return x;
  }
  Norm::Saved saved;
  return final_norm_.forward(c, x, saved);
}

LayerContext Stage::inference(const Parameters& parameters, Workspace& workspace) const {
  return {*device_, parameters, workspace, true};
}

ConstView Stage::infer(const Parameters& parameters, Workspace& workspace, const PackedBatch& batch,
                       const Receive& receive) const {
  const LayerContext context = inference(parameters, workspace);
  const DeviceBatch on_device = upload(workspace, batch);
  return run(context, on_device, begin(context, on_device, receive), nullptr, nullptr);
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
  const LayerContext context = inference(parameters, workspace);
  const DeviceBatch on_device = upload(workspace, batch);
  return run(context, on_device, embed(context, on_device), &cache, &access);
}

ConstView Stage::decode(const Parameters& parameters, Workspace& workspace,
                        const DecodePlaces& places, ConstView tokens, KvCache& cache) const {
  CacheAccess access;
  access.slots = places.slots;
  access.tables = places.tables;
  access.lengths = places.lengths;
  const DeviceBatch batch{
      .tokens = tokens, .positions = places.positions, .offsets = {}, .read = {}};
  const LayerContext context = inference(parameters, workspace);
  return run(context, batch, embed(context, batch), &cache, &access);
}

}  // namespace precis
