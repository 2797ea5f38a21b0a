#include "model/mlp.hpp"

#include <tuple>

namespace precis {
namespace {

Gelu gelu_of(ActivationKind activation) {
  return activation == ActivationKind::gelu_erf ? Gelu::erf : Gelu::tanh;
}

}  // namespace

Mlp Mlp::find(const Parameters& parameters, const ModelConfig& config, const std::string& name) {
  const std::vector<std::int64_t> parts = parameters.parallel().place.share(config).mlp_columns;
  return {.activation = config.activation,
          .gate = Linear::find(parameters, name + "/gate"),
          .up = Linear::find(parameters, name + "/up"),
          .down = RowParallel::find(parameters, name + "/down", parts),
          .parts = parts};
}

View Mlp::forward(const LayerContext& c, const RowShare& share, ConstView x, ConstView residual,
                  View out, Saved& saved) const {
  activate(c, share, x, saved);
  return down.forward(c, share, saved.activated, residual, out);
}

void Mlp::activate(const LayerContext& c, const RowShare& share, ConstView x, Saved& saved) const {
  saved.x = x;
  saved.share = share;
  const GatheredRows gathered(c, share, x);
  const ConstView all = gathered.view();
  if (activation == ActivationKind::gated_silu) {
    saved.up = up.forward(c, all);
    saved.activated = c.workspace.take(saved.up.shape(), x.dtype());
    saved.gate = gate.forward(c, all);
    c.kernels().gated_silu_forward(c.queue(), saved.activated, saved.gate, saved.up);
  } else {
    std::tie(saved.up, saved.activated) = up.forward_with_gelu(c, all, gelu_of(activation));
  }
}

View Mlp::input_gradient(const LayerContext& c, ConstView dout, const Saved& saved,
                         Gradients& out) const {
  out.dout = dout;
  const DType precision = dout.dtype();
  out.dup = c.workspace.take(saved.up.shape(), precision);
  if (activation == ActivationKind::gated_silu) {
    View dactivated = c.workspace.take(saved.activated.shape(), precision);
    input_gradient_of(c, dactivated, {{down, dout}});
    out.dgate = c.workspace.take(saved.gate.shape(), precision);
    c.kernels().gated_silu_backward(c.queue(), out.dgate, out.dup, dactivated, saved.gate,
                                    saved.up);
    return summed_input_gradient_of(c, saved.share,
                                    {{gate, out.dgate, parts}, {up, out.dup, parts}});
  }
  input_gradient_of(c, out.dup, {{down, dout}});
  c.kernels().gelu_backward(c.queue(), out.dup, out.dup, saved.up, gelu_of(activation));
  return summed_input_gradient_of(c, saved.share, {{up, out.dup, parts}});
}

void Mlp::weight_gradient(const LayerContext& c, Parameters& gradients, const Saved& saved,
                          const Gradients& later) const {
  const GatheredRows gathered(c, saved.share, saved.x);
  const ConstView all = gathered.view();
  down.weight_gradient(c, gradients, later.dout, saved.activated);
  up.weight_gradient(c, gradients, later.dup, all);
  if (activation == ActivationKind::gated_silu) {
    gate.weight_gradient(c, gradients, later.dgate, all);
  }
}

}  // namespace precis
