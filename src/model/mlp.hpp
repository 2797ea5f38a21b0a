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
    ConstView x;     // (n,C), the layer's input
    RowShare share;  // of its N rows
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

  /// residual + mlp(x), (n,C), in `out` as with RowParallel: of x, residual and result a rank has
  /// its rows.
  [[nodiscard]] View forward(const LayerContext& context, const RowShare& share, ConstView x,
                             ConstView residual, View out, Saved& saved) const;
  /// All but the last product of it: fills `saved`.
  void activate(const LayerContext& context, const RowShare& share, ConstView x,
                Saved& saved) const;
  /// The gradient (n,C) of x, for dout (N,C).
  [[nodiscard]] View input_gradient(const LayerContext& context, ConstView dout, const Saved& saved,
                                    Gradients& out) const;
  void weight_gradient(const LayerContext& context, Parameters& gradients, const Saved& saved,
                       const Gradients& later) const;
};

}  // namespace precis
