#include "model/block.hpp"

#include <fmt/format.h>

namespace precis {

Block Block::find(const Parameters& parameters, const ModelConfig& config, std::int64_t layer) {
  const std::string name = fmt::format("blocks/{:03}/", layer);
  return {.residual = config.residual,
          .attention_norm = Norm::find(parameters, config, name + "attention_norm"),
          .mlp_norm = Norm::find(parameters, config, name + "mlp_norm"),
          .attention = Attention::find(parameters, config, name + "attention"),
          .mlp = Mlp::find(parameters, config, name + "mlp")};
}

View Block::forward(const LayerContext& c, const DeviceBatch& batch, ConstView x,
                    const OutputRows& rows, View out, const CacheAccess* cache,
                    Saved& saved) const {
  const auto [attended, mlp_input] = forward_to_middle(c, batch, x, rows, out, cache, saved);
  return mlp.forward(c, rows.share, mlp_input, attended, out, saved.mlp);
}

void Block::recompute(const LayerContext& c, const DeviceBatch& batch, ConstView x,
                      const OutputRows& rows, Saved& saved) const {
  const Middle middle = forward_to_middle(c, batch, x, rows, {}, nullptr, saved);
  mlp.activate(c, rows.share, middle.mlp_input, saved.mlp);
}

Block::Middle Block::forward_to_middle(const LayerContext& c, const DeviceBatch& batch, ConstView x,
                                       const OutputRows& rows, View out, const CacheAccess* cache,
                                       Saved& saved) const {
  const ConstView attention_input = attention_norm.forward(c, x, saved.attention_norm);
  const ConstView residual_x = wanted_rows(c, rows, x);  // (P,C)
  // Before the attention's result may take the place of x.
  ConstView mlp_input;
  if (residual == ResidualKind::parallel) {
    mlp_input = mlp_norm.forward(c, residual_x, saved.mlp_norm);
  }
  const View attended =
      attention.forward(c, batch, attention_input, rows, residual_x, out, cache, saved.attention);
  if (residual == ResidualKind::sequential) {
    mlp_input = mlp_norm.forward(c, attended, saved.mlp_norm);
  }
  return {attended, mlp_input};
}

void Block::go_back(const LayerContext& c, const DeviceBatch& batch, Parameters& gradients,
                    View stream, View dx, const Saved& saved, Gradients* later) const {
  Gradients now;
  Gradients& kept = later != nullptr ? *later : now;
  const OutputRows& rows = saved.attention.rows;
  // The stream goes on to change, so weight gradients that come later need a copy.
  const auto dout = [&]() -> ConstView {
    if (later == nullptr || rows.share.is_divided()) {
      return all_rows(c, rows.share, stream);
    }
    View copy = c.workspace.take(stream.shape(), stream.dtype());
    c.kernels().copy(c.queue(), copy, stream);
    return copy;
  };
  const ConstView dmlp = mlp.input_gradient(c, dout(), saved.mlp, kept.mlp);
  if (later == nullptr) {
    mlp.weight_gradient(c, gradients, saved.mlp, kept.mlp);
  }
  if (residual == ResidualKind::sequential) {
    mlp_norm.backward(c, rows.share, gradients, stream, dmlp, saved.mlp_norm);
  }
  const ConstView dattention =
      attention.input_gradient(c, batch, dout(), saved.attention, kept.attention);
  if (later == nullptr) {
    attention.weight_gradient(c, batch, gradients, saved.attention, kept.attention);
  }
  if (residual == ResidualKind::parallel) {
    mlp_norm.backward(c, rows.share, gradients, stream, dmlp, saved.mlp_norm);
  }
  if (!rows.positions.empty()) {
    c.kernels().fill(c.queue(), dx, 0.0);
    c.kernels().scatter_add_rows(c.queue(), dx, stream, rows.among_mine());
  }
  attention_norm.backward(c, batch.all.share, gradients, dx, dattention, saved.attention_norm);
}

View Block::begin_backward(const LayerContext& c, View stream, const Saved& saved) const {
  return saved.attention.rows.positions.empty()
             ? stream
             : c.workspace.take(saved.attention_norm.x.shape(), stream.dtype());
}

View Block::backward(const LayerContext& c, const DeviceBatch& batch, Parameters& gradients,
                     View stream, const Saved& saved) const {
  const View dx = begin_backward(c, stream, saved);
  const WorkspaceScope scope(c.workspace);
  go_back(c, batch, gradients, stream, dx, saved, nullptr);
  return dx;
}

View Block::input_gradient(const LayerContext& c, const DeviceBatch& batch, Parameters& gradients,
                           View stream, const Saved& saved, Gradients& later) const {
  const View dx = begin_backward(c, stream, saved);
  go_back(c, batch, gradients, stream, dx, saved, &later);
  return dx;
}

void Block::weight_gradient(const LayerContext& c, const DeviceBatch& batch, Parameters& gradients,
                            const Saved& saved, const Gradients& later) const {
  mlp.weight_gradient(c, gradients, saved.mlp, later.mlp);
  attention.weight_gradient(c, batch, gradients, saved.attention, later.attention);
}

void Block::share_norm_gradients(const LayerContext& c, Parameters& gradients) const {
  attention_norm.share_gradients(c, gradients);
  mlp_norm.share_gradients(c, gradients);
}

}  // namespace precis
