// What every layer is given, and the linear and norm layers that the others are made of.
#pragma once

#include <string>
#include <utility>

#include "device/workspace.hpp"
#include "model/parameters.hpp"

namespace precis {

/// Where a layer runs, with which parameters, and where its results are taken from.
struct LayerContext {
  Device& device;
  const Parameters& parameters;
  Workspace& workspace;
  /// No backward pass follows: what only that would read need not be written.
  bool inference = false;

  [[nodiscard]] const Backend& kernels() const { return device.backend(); }
  [[nodiscard]] Queue& queue() const { return device.queue(); }
};

/// Rows `positions` (P) of x (N,C), taken from the workspace; x itself if there are no positions.
[[nodiscard]] ConstView gather(const LayerContext& context, ConstView x, ConstView positions);
/// (N,C) with the rows of x (P,C) at `positions` (P) and zeros elsewhere, taken from the workspace;
/// x itself if there are no positions.
[[nodiscard]] View spread(const LayerContext& context, View x, ConstView positions,
                          std::int64_t rows);

/// y = x W^T + b: the places of W (out, in) and b (out) in the parameters; no bias is -1.
struct Linear {
  int weight = -1;
  int bias = -1;

  [[nodiscard]] static Linear find(const Parameters& parameters, const std::string& name);

  /// (N, out) from x (N, in), in the precision of x.
  [[nodiscard]] View forward(const LayerContext& context, ConstView x) const {
    return forward_as(x.dtype(), context, x);
  }
  /// The same plus residual (N, out), written to `out`, which may be the residual itself; taken
  /// from the workspace if `out` is empty.
  [[nodiscard]] View forward(const LayerContext& context, ConstView x, ConstView residual,
                             View out) const;
  /// The same with the result, and the residual, in `precision`: that of x, or f32.
  [[nodiscard]] View forward_as(DType precision, const LayerContext& context, ConstView x,
                                ConstView residual = {}) const;
  /// (N, out), empty in inference, and its GELU, both in the precision of x.
  [[nodiscard]] std::pair<View, View> forward_with_gelu(const LayerContext& context, ConstView x,
                                                        Gelu kind) const;
  /// dx (N, in) = or += for dy (N, out).
  void input_gradient(const LayerContext& context, View dx, ConstView dy, Write write) const;
  /// Adds to the gradients of W and b for dy (N, out) and the layer's input x (N, in).
  void weight_gradient(const LayerContext& context, Parameters& gradients, ConstView dy,
                       ConstView x) const;
};

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
  /// dx (N,C) += for dout (N,C); adds to the gradients of weight and bias.
  void backward(const LayerContext& context, Parameters& gradients, View dx, ConstView dout,
                const Saved& saved) const;
};

}  // namespace precis
