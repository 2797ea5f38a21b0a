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

  /// The residual stream (P,C) after the block at `rows`, for x (N,C) before it, which must outlive
  /// `saved`. Written to `out`, which may be x itself where all rows are wanted and no backward
  /// pass follows; taken from the workspace if `out` is empty. Where rows are divided among ranks,
  /// each has its own of the stream and of its gradients, here and in what follows.
  [[nodiscard]] View forward(const LayerContext& context, const DeviceBatch& batch, ConstView x,
                             const OutputRows& rows, View out, const CacheAccess* cache,
                             Saved& saved) const;
  /// What such a pass saves, once more: all of it but the last product.
  void recompute(const LayerContext& context, const DeviceBatch& batch, ConstView x,
                 const OutputRows& rows, Saved& saved) const;
  /// The gradient (N,C) of the residual stream before the block, for that after it (P,C), which it
  /// changes; they share their memory where all rows are read. Adds the gradients of all the
  /// block's parameters. Everything else that it allocates from the workspace is freed.
  [[nodiscard]] View backward(const LayerContext& context, const DeviceBatch& batch,
                              Parameters& gradients, View stream, const Saved& saved) const;
  /// The same, but for the gradients of matrices and biases: what they need is allocated from the
  /// workspace and kept in `later`.
  [[nodiscard]] View input_gradient(const LayerContext& context, const DeviceBatch& batch,
                                    Parameters& gradients, View stream, const Saved& saved,
                                    Gradients& later) const;
  /// The gradients of the matrices and biases; any time after input_gradient.
  void weight_gradient(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
                       const Saved& saved, const Gradients& later) const;
  /// After the last micro-batch, where rows are divided: what ranks have summed in turns is
  /// complete on all.
  void share_norm_gradients(const LayerContext& context, Parameters& gradients) const;

 private:
  /// The residual stream between attention and MLP, where the MLP begins with its norm: (P,C), and
  /// what the MLP reads.
  struct Middle {
    View attended;
    ConstView mlp_input;
  };
  [[nodiscard]] Middle forward_to_middle(const LayerContext& context, const DeviceBatch& batch,
                                         ConstView x, const OutputRows& rows, View out,
                                         const CacheAccess* cache, Saved& saved) const;
  /// The memory of the gradient (N,C) before the block, for that after it.
  [[nodiscard]] View begin_backward(const LayerContext& context, View stream,
                                    const Saved& saved) const;
  /// Turns `stream` (P,C) into `dx` (N,C); both may be the same memory. `later` null: the weights'
  /// gradients are added at once.
  void go_back(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
               View stream, View dx, const Saved& saved, Gradients* later) const;
};

}  // namespace precis
