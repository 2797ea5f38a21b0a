// The linear and norm layers that the others are made of.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "model/rows.hpp"

namespace precis {

/// y = x W^T + b: the places of W (out, in) and b (out) in the parameters; no bias is -1.
struct Linear {
  int weight = -1;
  int bias = -1;

  [[nodiscard]] static Linear find(const Parameters& parameters, const std::string& name);

  /// (N, out) from x (N, in), in the precision of x.
  [[nodiscard]] View forward(const LayerContext& context, ConstView x) const {
    return forward_as(x.dtype(), context, x);
  }
  /// The same with the result, and the residual, in `precision`: that of x, or f32.
  [[nodiscard]] View forward_as(DType precision, const LayerContext& context, ConstView x,
                                ConstView residual = {}) const;
  /// (N, out), empty in inference, and its GELU, both in the precision of x.
  [[nodiscard]] std::pair<View, View> forward_with_gelu(const LayerContext& context, ConstView x,
                                                        Gelu kind) const;
  /// Adds to the gradients of W and b for dy (N, out) and the layer's input x (N, in).
  void weight_gradient(const LayerContext& context, Parameters& gradients, ConstView dy,
                       ConstView x) const;
};

/// A Linear whose input, and so the columns of W, are divided among the ranks that share the layer:
/// each sums its terms, and all get the sum of all, or its rows of it. Linears whose results are
/// divided need nothing forward: the two are used in pairs.
struct RowParallel : Linear {
  std::vector<std::int64_t> parts;  ///< of this rank's columns, in which they are summed

  [[nodiscard]] static RowParallel find(const Parameters& parameters, const std::string& name,
                                        std::vector<std::int64_t> parts);

  /// x W^T + b + residual (n, out), for x (N, in) and the rows of the residual that this rank has,
  /// written to `out`, which may be the residual itself; taken from the workspace if `out` is
  /// empty.
  [[nodiscard]] View forward(const LayerContext& context, const RowShare& share, ConstView x,
                             ConstView residual, View out) const;
};

/// What a layer that reads x adds to the gradient of x, for dy (N, out), and the parts in which it
/// is summed over `out`.
struct LayerGradient {
  const Linear& layer;
  ConstView dy;
  SumParts parts = {};
};
/// dx (N, in) = the sum over the layers that read x, in this order.
void input_gradient_of(const LayerContext& context, View dx,
                       std::initializer_list<LayerGradient> layers);
/// The same for layers whose results are divided among ranks: over all of them.
void summed_input_gradient_of(const LayerContext& context, View dx,
                              std::initializer_list<LayerGradient> layers);
/// The same where the rows of x are divided: those of this rank (n, in), taken from the workspace.
[[nodiscard]] View summed_input_gradient_of(const LayerContext& context, const RowShare& share,
                                            std::initializer_list<LayerGradient> layers);

/// LayerNorm or RMSNorm over the width.
struct Norm {
  NormKind kind = NormKind::layer_norm;
  double epsilon = 0.0;
  int weight = -1;
  int bias = -1;

  /// What backward needs of a forward pass.
  struct Saved {
    ConstView x;  // (N,C)
    View mean;    // (N), layer norm only
    View rstd;    // (N)
  };

  [[nodiscard]] static Norm find(const Parameters& parameters, const ModelConfig& config,
                                 const std::string& name);

  /// (N,C) from x (N,C), which must outlive `saved`.
  [[nodiscard]] View forward(const LayerContext& context, ConstView x, Saved& saved) const;
  /// dx (N,C) += for dout (N,C); adds to the gradients of weight and bias. Where the rows are
  /// divided, the sum over them goes from rank to rank: it is complete on the last one, until
  /// `share_gradients`.
  void backward(const LayerContext& context, const RowShare& share, Parameters& gradients, View dx,
                ConstView dout, const Saved& saved) const;
  /// All ranks get what the last one has.
  void share_gradients(const LayerContext& context, Parameters& gradients) const;

 private:
  /// The gradients of weight and bias.
  [[nodiscard]] std::vector<View> sums_of(Parameters& gradients) const;
  /// Over the rows before this rank's, and all micro-batches before this one.
  void receive_sums(const LayerContext& context, Parameters& gradients) const;
};

}  // namespace precis
