// One transformer block: attention and MLP, each after a norm and beside a residual connection.
#pragma once

#include "model/attention.hpp"
#include "model/mlp.hpp"

namespace precis {

struct Block {
  ResidualKind residual = ResidualKind::sequential;
  Norm attention_norm, mlp_norm;
  Attention attention;
  Mlp mlp;

  struct Saved {
    Norm::Saved attention_norm, mlp_norm;
    Attention::Saved attention;
    Mlp::Saved mlp;
  };
  struct Gradients {
    Attention::Gradients attention;
    Mlp::Gradients mlp;
  };

  [[nodiscard]] static Block find(const Parameters& parameters, const ModelConfig& config,
                                  std::int64_t layer);

  /// The residual stream (N,C) after the block, for x (N,C) before it, which must outlive `saved`.
  [[nodiscard]] View forward(const LayerContext& context, const DeviceBatch& batch, ConstView x,
                             const CacheAccess* cache, Saved& saved) const;
  /// The gradient (N,C) of x for dout (N,C), and the norms' gradients.
  [[nodiscard]] View input_gradient(const LayerContext& context, const DeviceBatch& batch,
                                    Parameters& gradients, ConstView dout, const Saved& saved,
                                    Gradients& out) const;
  /// The gradients of the matrices and biases; any time after input_gradient.
  void weight_gradient(const LayerContext& context, Parameters& gradients, const Saved& saved,
                       const Gradients& of) const;
};

}  // namespace precis
