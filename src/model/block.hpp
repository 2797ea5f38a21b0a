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
  /// Written to `out`, which may be x itself where no backward pass follows; taken from the
  /// workspace if `out` is empty.
  [[nodiscard]] View forward(const LayerContext& context, const DeviceBatch& batch, ConstView x,
                             View out, const CacheAccess* cache, Saved& saved) const;
  /// Turns `stream` (N,C), the gradient of the residual stream after the block, into that before
  /// it, and adds the gradients of all the block's parameters. Takes nothing from the workspace
  /// that it does not give back.
  void backward(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
                View stream, const Saved& saved) const;
  /// The same, but for the gradients of matrices and biases: what they need is taken from the
  /// workspace and stands in `later`.
  void input_gradient(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
                      View stream, const Saved& saved, Gradients& later) const;
  /// The gradients of the matrices and biases; any time after input_gradient.
  void weight_gradient(const LayerContext& context, Parameters& gradients, const Saved& saved,
                       const Gradients& of) const;

 private:
  /// `later` null: the weights' gradients are added at once.
  void go_back(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
               View stream, const Saved& saved, Gradients* later) const;
};

}  // namespace precis
