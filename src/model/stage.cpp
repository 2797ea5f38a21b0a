#include "model/stage.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "model/memory_fit.hpp"

namespace precis {

DeviceBatch upload(Workspace& workspace, const PackedBatch& batch) {
  return {
      .tokens = workspace.upload(batch.tokens),
      .positions = workspace.upload(batch.positions),
      .offsets = workspace.upload(batch.offsets),
      .read = {.positions = batch.read ? ConstView(workspace.upload(*batch.read)) : ConstView{}}};
}

Stage::Stage(Device& device, const ModelConfig& config, const Parameters& layout,
             std::shared_ptr<Arena> arena, const Activations& activations)
    : Stage(device, config, layout,
            {layout.parallel().place.layers.first,
             std::min(layout.parallel().place.layers.last, config.layers)},
            std::move(arena), activations) {}

Stage::Stage(Device& device, const ModelConfig& config, const Parameters& layout, LayerRange layers,
             std::shared_ptr<Arena> arena, const Activations& activations)
    : device_(&device),
      config_(config),
      layers_(layers),
      arena_(shared_or_own(std::move(arena), device)),
      activations_(activations) {
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

DeviceBatch Stage::upload_for_training(const LayerContext& c, const PackedBatch& batch) const {
  DeviceBatch on_device = upload(c.workspace, batch);
  if (!activations_.sequence_parallel || c.tensor() == nullptr) {
    return on_device;
  }
  const RowShare all = divide_rows(batch.size(), c.tensor()->size());
  on_device.all.share = all;
  on_device.read.share = all;
  if (!batch.read) {
    return on_device;
  }
  RowShare& read = on_device.read.share;
  std::ranges::transform(all.bounds, read.bounds.begin(), [&](std::int64_t row) {
    return std::ranges::lower_bound(*batch.read, row) - batch.read->begin();
  });
  const auto me = static_cast<std::size_t>(c.tensor_rank());
  std::vector<std::int32_t> mine(batch.read->begin() + read.bounds[me],
                                 batch.read->begin() + read.bounds[me + 1]);
  for (std::int32_t& row : mine) {
    row -= static_cast<std::int32_t>(all.bounds[me]);
  }
  on_device.read.mine = c.workspace.upload(mine);
  return on_device;
}

View Stage::embed(const LayerContext& c, const DeviceBatch& batch) const {
  const RowShare& share = batch.all.share;
  const std::int64_t rows = batch.tokens.extent(0);
  View mine = c.workspace.take({share.count(c.tensor_rank(), rows), config_.width},
                               device_->precision());  // (n,C)
  {
    const WorkspaceScope scope(c.workspace);
    View all = share.is_divided() ? c.workspace.take({rows, config_.width}, mine.dtype()) : mine;
    c.kernels().embedding_forward(c.queue(), all, c.parameters.at(token_embedding_), batch.tokens,
                                  first_token_, Write::overwrite);
    if (Communicator* const ranks = c.tensor(); ranks != nullptr) {
      require(all.dtype() == DType::f32, "Ranks share a layer in f32 only, not in {}.",
              name_of(all.dtype()));
      // Each row is on one rank; the others have zeros, and sums of bits are exact.
      ranks->all_reduce(c.queue(), View(all.bytes(), DType::i32, all.shape()), Reduction::sum);
    }
    if (share.is_divided()) {
      c.kernels().copy(c.queue(), mine, share.of(c.tensor_rank(), all));
    }
  }
  if (position_embedding_ >= 0) {
    c.kernels().embedding_forward(c.queue(), mine, c.parameters.at(position_embedding_),
                                  share.of(c.tensor_rank(), batch.positions), 0, Write::accumulate);
  }
  return mine;
}

template <class Work>
void Stage::with_fitting(const Work& work) const {
  try {
    work();
  } catch (const OutOfMemory& error) {
    throw with_fitting_tokens(error, *device_, arena_->bytes(),
                              training_bytes_a_token(config_, *device_, activations_));
  }
}

View Stage::begin(const LayerContext& c, const DeviceBatch& batch, const Receive& receive) const {
  if (has_embedding()) {
    return embed(c, batch);
  }
  require(static_cast<bool>(receive), "A stage without the embedding was given nothing to go on.");
  const std::int64_t rows = batch.all.share.count(c.tensor_rank(), batch.tokens.extent(0));
  View x = c.workspace.take({rows, config_.width}, device_->precision());
  receive(x);
  return x;
}

ConstView Stage::forward(const Parameters& parameters, const PackedBatch& batch, int slot_number,
                         const Receive& receive) {
  slots_.resize(std::max(slots_.size(), static_cast<std::size_t>(slot_number) + 1));
  Slot& slot = slot_at(slot_number);
  ConstView x;  // (N,C)
  with_fitting([&] {
    const LayerContext context = training(parameters, workspace(slot_number));
    context.workspace.reset();
    arena_->gathered().reset();
    slot.blocks.assign(blocks_.size(), {});
    slot.inputs.clear();
    slot.batch = upload_for_training(context, batch);
    const View first = begin(context, slot.batch, receive);
    if (activations_.recompute == Recompute::none) {
      x = first;
      for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
        x = blocks_[layer].forward(context, slot.batch, x, rows_after(layer, slot.batch), {},
                                   nullptr, slot.blocks[layer]);
        between_blocks();
      }
    } else {
      arena_->recomputed().reset();
      x = run_blocks(parameters, slot.batch, first, blocks_.size(),
                     activations_.recompute == Recompute::block, context.workspace, slot.inputs);
    }
    if (has_final_norm()) {
      x = all_rows(context, slot.batch.read.share,
                   final_norm_.forward(context, x, slot.final_norm));
    }
  });
  return x;
}

const OutputRows& Stage::rows_after(std::size_t layer, const DeviceBatch& batch) const {
  return has_final_norm() && layer + 1 == blocks_.size() ? batch.read : batch.all;
}

View Stage::run_blocks(const Parameters& parameters, const DeviceBatch& batch, View x,
                       std::size_t end, bool all, Workspace& kept,
                       std::vector<View>& inputs) const {
  // As the backward pass computes them: on a GPU, inference has other kernels.
  const LayerContext context = training(parameters, arena_->recomputed());
  for (std::size_t layer = 0; layer < end; ++layer) {
    const OutputRows& rows = rows_after(layer, batch);
    View out = x;
    if (all || layer == 0) {
      inputs.push_back(x);
    }
    if (all || layer == 0 || !rows.positions.empty()) {
      const std::int64_t count = rows.positions.empty() ? x.extent(0) : rows.positions.extent(0);
      out = kept.take({rows.share.count(context.tensor_rank(), count), config_.width}, x.dtype());
    }
    const WorkspaceScope scope(context.workspace);
    Block::Saved saved;
    x = blocks_[layer].forward(context, batch, x, rows, out, nullptr, saved);
    between_blocks();
  }
  return x;
}

std::vector<View> Stage::inputs_again(const Parameters& parameters, const Slot& slot,
                                      Workspace& kept) const {
  if (activations_.recompute != Recompute::full) {
    return slot.inputs;
  }
  std::vector<View> inputs;
  const View last = run_blocks(parameters, slot.batch, slot.inputs.front(), blocks_.size() - 1,
                               true, kept, inputs);
  inputs.push_back(last);
  return inputs;
}

void Stage::activations_again(const Parameters& parameters, Slot& slot,
                              const std::vector<View>& inputs, std::size_t layer,
                              Workspace& kept) const {
  if (activations_.recompute != Recompute::none) {
    slot.blocks[layer] = {};
    blocks_[layer].recompute(training(parameters, kept), slot.batch, inputs[layer],
                             rows_after(layer, slot.batch), slot.blocks[layer]);
  }
}

void Stage::after_gradients(const LayerContext& c, const Slot& slot, Parameters& gradients,
                            std::size_t block, bool last) const {
  if (last && slot.batch.all.share.is_divided()) {
    if (has_final_norm() && block + 1 == blocks_.size()) {
      final_norm_.share_gradients(c, gradients);
    }
    blocks_[block].share_norm_gradients(c, gradients);
  }
  if (between_blocks_) {
    between_blocks_(last ? std::optional(blocks_[block].attention_norm.weight) : std::nullopt);
  }
}

View Stage::begin_backward(const LayerContext& c, Parameters& gradients, const Slot& slot,
                           ConstView dout) const {
  if (has_final_norm()) {
    const RowShare& share = slot.batch.read.share;
    const ConstView mine = share.of(c.tensor_rank(), dout);
    View stream = c.workspace.zeros(mine.shape(), mine.dtype());
    final_norm_.backward(c, share, gradients, stream, mine, slot.final_norm);
    return stream;
  }
  View stream = c.workspace.take(dout.shape(), dout.dtype());
  c.kernels().copy(c.queue(), stream, dout);
  return stream;
}

void Stage::embedding_gradient(const LayerContext& c, Parameters& gradients, const Slot& slot,
                               ConstView dinput) const {
  const WorkspaceScope scope(c.workspace);
  const ConstView all = all_rows(c, slot.batch.all.share, dinput);
  const int rows = gradients.find(embedded_rows_gradient);
  c.kernels().embedding_backward(c.queue(), gradients.at(rows >= 0 ? rows : token_embedding_), all,
                                 slot.batch.tokens, first_token_);
  if (position_embedding_ >= 0) {
    c.kernels().embedding_backward(c.queue(), gradients.at(position_embedding_), all,
                                   slot.batch.positions, 0);
  }
}

ConstView Stage::backward(const Parameters& parameters, Parameters& gradients, int slot_number,
                          ConstView dout, bool last) {
  Slot& slot = slot_at(slot_number);
  View stream;  // (N,C)
  with_fitting([&] {
    const LayerContext context = training(parameters, arena_->backward());
    context.workspace.reset();
    Workspace& recomputed = arena_->recomputed();
    recomputed.reset();
    const auto inputs = inputs_again(parameters, slot, recomputed);
    stream = begin_backward(context, gradients, slot, dout);
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      const WorkspaceScope scope(recomputed);
      activations_again(parameters, slot, inputs, layer, recomputed);
      stream = blocks_[layer].backward(context, slot.batch, gradients, stream, slot.blocks[layer]);
      after_gradients(context, slot, gradients, layer, last);
    }
    if (has_embedding()) {
      embedding_gradient(context, gradients, slot, stream);
    }
  });
  return has_embedding() ? ConstView{} : ConstView(stream);
}

ConstView Stage::input_gradient(const Parameters& parameters, Parameters& gradients,
                                int slot_number, ConstView dout, int deferred) {
  Slot& slot = slot_at(slot_number);
  with_fitting([&] {
    slot.gradients.assign(blocks_.size(), {});
    slot.deferred = deferred;
    const LayerContext context = training(parameters, arena_->deferred(slot.deferred));
    context.workspace.reset();
    arena_->recomputed().reset();
    const auto inputs = inputs_again(parameters, slot, context.workspace);
    View stream = begin_backward(context, gradients, slot, dout);
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      activations_again(parameters, slot, inputs, layer, context.workspace);
      stream = blocks_[layer].input_gradient(context, slot.batch, gradients, stream,
                                             slot.blocks[layer], slot.gradients[layer]);
      between_blocks();
    }
    slot.dinput = stream;
  });
  return has_embedding() ? ConstView{} : slot.dinput;
}

void Stage::weight_gradient(const Parameters& parameters, Parameters& gradients, int slot_number,
                            bool last) {
  Slot& slot = slot_at(slot_number);
  with_fitting([&] {
    const LayerContext context = training(parameters, arena_->deferred(slot.deferred));
    for (std::size_t layer = blocks_.size(); layer-- > 0;) {
      blocks_[layer].weight_gradient(context, slot.batch, gradients, slot.blocks[layer],
                                     slot.gradients[layer]);
      after_gradients(context, slot, gradients, layer, last);
    }
    if (has_embedding()) {
      embedding_gradient(context, gradients, slot, slot.dinput);
    }
  });
}

ConstView Stage::run(const LayerContext& c, const DeviceBatch& batch, View x, KvCache* cache,
                     CacheAccess* access) const {
  // Only the rows that are read, if not all are.
  const ConstView read = batch.read.positions;
  View last = read.empty() ? x : c.workspace.take({read.extent(0), config_.width}, x.dtype());
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    const WorkspaceScope scope(c.workspace);
    if (cache != nullptr) {
      access->keys = cache->keys(static_cast<std::int64_t>(layer));
      access->values = cache->values(static_cast<std::int64_t>(layer));
    }
    Block::Saved saved;
    const OutputRows& rows = rows_after(layer, batch);
    x = blocks_[layer].forward(c, batch, x, rows, rows.positions.empty() ? x : last, access, saved);
  }
  if (!has_final_norm()) {
    return x;
  }
  Norm::Saved saved;
  return final_norm_.forward(c, x, saved);
}

LayerContext Stage::inference(const Parameters& parameters, Workspace& workspace) const {
  return {*device_, parameters, workspace, true, &arena_->gathered()};
}

LayerContext Stage::training(const Parameters& parameters, Workspace& workspace) const {
  return {*device_, parameters, workspace, false, &arena_->gathered()};
}

ConstView Stage::infer(const Parameters& parameters, Workspace& workspace, const PackedBatch& batch,
                       const Receive& receive) const {
  const LayerContext context = inference(parameters, workspace);
  const DeviceBatch on_device = upload(workspace, batch);
  return run(context, on_device, begin(context, on_device, receive), nullptr, nullptr);
}

ConstView Stage::prefill(const Parameters& parameters, Workspace& workspace,
                         const PackedBatch& batch, KvCache& cache, std::span<const int> sequences,
                         const Receive& receive) const {
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
  return run(context, on_device, begin(context, on_device, receive), &cache, &access);
}

ConstView Stage::decode(const Parameters& parameters, Workspace& workspace,
                        const DecodePlaces& places, ConstView tokens, KvCache& cache,
                        const Receive& receive) const {
  CacheAccess access;
  access.slots = places.slots;
  access.tables = places.tables;
  access.lengths = places.lengths;
  const DeviceBatch batch{.tokens = tokens, .positions = places.positions, .offsets = {}};
  const LayerContext context = inference(parameters, workspace);
  return run(context, batch, begin(context, batch, receive), &cache, &access);
}

}  // namespace precis
