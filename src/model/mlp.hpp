// The feed-forward layer: GELU between two matrices, or a gated SiLU.
#pragma once

#include "model/layer.hpp"

namespace precis {

struct Mlp {
  ActivationKind activation = ActivationKind::gelu_tanh;
  Linear gate, up;  // gate only with gated_silu
  RowParallel down;
  std::vector<std::int64_t> parts;  ///< of this rank's part of F

  struct Saved {
    ConstView x;     // (N,C), the layer's input
    View gate;       // (N,F), gated_silu only
    View up;         // (N,F), in inference gated_silu only
    View activated;  // (N,F)
  };
  /// What the weight gradients need of the input gradient's pass.
  struct Gradients {
    ConstView dout;  // (N,C)
    View dgate;      // (N,F), gated_silu only
    View dup;        // (N,F)
  };

  [[nodiscard]] static Mlp find(const Parameters& parameters, const ModelConfig& config,
                                const std::string& name);

  /// residual + mlp(x), (N,C), in `out` as with Linear.
  [[nodiscard]] View forward(const LayerContext& context, ConstView x, ConstView residual, View out,
                             Saved& saved) const;
  /// The gradient (N,C) of x, for dout (N,C).
  [[nodiscard]] View input_gradient(const LayerContext& context, ConstView dout, const Saved& saved,
                                    Gradients& out) const;
  void weight_gradient(const LayerContext& context, Parameters& gradients, const Saved& saved,
                       const Gradients& later) const;
};

}  // namespace precis
