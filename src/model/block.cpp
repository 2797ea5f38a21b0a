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
                    const CacheAccess* cache, Saved& saved) const {
  const ConstView normed = attention_norm.forward(c, x, saved.attention_norm);
  const ConstView attended = attention.forward(c, batch, normed, x, cache, saved.attention);
  const ConstView mlp_input = residual == ResidualKind::sequential ? attended : x;
  return mlp.forward(c, mlp_norm.forward(c, mlp_input, saved.mlp_norm), attended, saved.mlp);
}

View Block::input_gradient(const LayerContext& c, const DeviceBatch& batch, Parameters& gradients,
                           ConstView dout, const Saved& saved, Gradients& out) const {
  const ConstView dmlp = mlp.input_gradient(c, dout, saved.mlp, out.mlp);
  View dattended = c.workspace.take(dout.shape(), dout.dtype());
  c.kernels().copy(c.queue(), dattended, dout);
  if (residual == ResidualKind::sequential) {
    mlp_norm.backward(c, gradients, dattended, dmlp, saved.mlp_norm);
  }
  const ConstView dattention =
      attention.input_gradient(c, batch, dattended, saved.attention, out.attention);
  View dx = c.workspace.take(dout.shape(), dout.dtype());
  c.kernels().copy(c.queue(), dx, dattended);
  if (residual == ResidualKind::parallel) {
    mlp_norm.backward(c, gradients, dx, dmlp, saved.mlp_norm);
  }
  attention_norm.backward(c, gradients, dx, dattention, saved.attention_norm);
  return dx;
}

void Block::weight_gradient(const LayerContext& c, Parameters& gradients, const Saved& saved,
                            const Gradients& of) const {
  mlp.weight_gradient(c, gradients, saved.mlp, of.mlp);
  attention.weight_gradient(c, gradients, saved.attention, of.attention);
}

}  // namespace precis
