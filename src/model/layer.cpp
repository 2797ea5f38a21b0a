#include "model/layer.hpp"

#include <utility>
#include <vector>

#include "parallel/tree_sum.hpp"

namespace precis {
namespace {

ConstView optional(const Parameters& parameters, int index) {
  return index < 0 ? ConstView{} : parameters.at(index);
}
View optional(Parameters& parameters, int index) {
  return index < 0 ? View{} : parameters.at(index);
}

}  // namespace

void sum_over_ranks(const LayerContext& c, View values) {
  if (Communicator* const ranks = c.tensor(); ranks != nullptr) {
    sum_in_tree(c.device, *ranks, 0, ranks->size(), values, c.workspace);
  }
}

ConstView gather(const LayerContext& c, ConstView x, ConstView positions) {
  if (positions.empty()) {
    return x;
  }
  View rows = c.workspace.take({positions.extent(0), x.extent(1)}, x.dtype());  // (P,C)
  c.kernels().gather_rows(c.queue(), rows, x, positions);
  return rows;
}

View spread(const LayerContext& c, View x, ConstView positions, std::int64_t rows) {
  if (positions.empty()) {
    return x;
  }
  View out = c.workspace.zeros({rows, x.extent(1)}, x.dtype());  // (N,C)
  c.kernels().scatter_add_rows(c.queue(), out, x, positions);
  return out;
}

Linear Linear::find(const Parameters& parameters, const std::string& name) {
  return {parameters.find(name + "/weight"), parameters.find(name + "/bias")};
}

View Linear::forward_as(DType precision, const LayerContext& c, ConstView x,
                        ConstView residual) const {
  View y = c.workspace.take({x.extent(0), c.parameters.at(weight).extent(0)}, precision);
  c.kernels().linear_forward(c.queue(), y, x, c.parameters.packed(weight, PackFor::forward), {},
                             c.parameters.rounded(bias, precision), residual);
  return y;
}

RowParallel RowParallel::find(const Parameters& parameters, const std::string& name,
                              std::vector<std::int64_t> parts) {
  return {Linear::find(parameters, name), std::move(parts)};
}

View RowParallel::forward(const LayerContext& c, ConstView x, ConstView residual, View out) const {
  const View y = out.empty() ? c.workspace.take(residual.shape(), residual.dtype()) : out;
  const Pack& packed = c.parameters.packed(weight, PackFor::forward);
  const ConstView added = c.parameters.rounded(bias, y.dtype());
  if (c.tensor() == nullptr) {
    c.kernels().linear_forward(c.queue(), y, x, packed, parts, added, residual);
    return y;
  }
  // The residual may be in `out`.
  const WorkspaceScope scope(c.workspace);
  const View sum = out.empty() ? y : c.workspace.take(y.shape(), y.dtype());
  c.kernels().linear_forward(c.queue(), sum, x, packed, parts, {}, {});
  sum_over_ranks(c, sum);
  c.kernels().add_bias(c.queue(), sum, added, residual);
  if (!out.empty()) {
    c.kernels().copy(c.queue(), y, sum);
  }
  return y;
}

std::pair<View, View> Linear::forward_with_gelu(const LayerContext& c, ConstView x,
                                                Gelu kind) const {
  const Shape shape{x.extent(0), c.parameters.at(weight).extent(0)};
  const View y = c.inference ? View{} : c.workspace.take(shape, x.dtype());
  const View activated = c.workspace.take(shape, x.dtype());
  c.kernels().linear_gelu_forward(c.queue(), activated, y, x,
                                  c.parameters.packed(weight, PackFor::forward),
                                  c.parameters.rounded(bias, x.dtype()), kind);
  return {y, activated};
}

void Linear::weight_gradient(const LayerContext& c, Parameters& gradients, ConstView dy,
                             ConstView x) const {
  c.kernels().linear_weight_gradient(c.queue(), gradients.at(weight), optional(gradients, bias), dy,
                                     x);
}

void input_gradient_of(const LayerContext& c, View dx,
                       std::initializer_list<LayerGradient> layers) {
  std::vector<GradientTerm> terms;
  terms.reserve(layers.size());
  for (const LayerGradient& term : layers) {
    terms.push_back({.dy = term.dy,
                     .weight = &c.parameters.packed(term.layer.weight, PackFor::input_gradient),
                     .parts = term.parts});
  }
  c.kernels().linear_input_gradient(c.queue(), dx, terms);
}

void summed_input_gradient_of(const LayerContext& c, View dx,
                              std::initializer_list<LayerGradient> layers) {
  input_gradient_of(c, dx, layers);
  sum_over_ranks(c, dx);
}

Norm Norm::find(const Parameters& parameters, const ModelConfig& config, const std::string& name) {
  return {config.norm, config.norm_epsilon, parameters.find(name + "/weight"),
          parameters.find(name + "/bias")};
}

View Norm::forward(const LayerContext& c, ConstView x, Saved& saved) const {
  const std::int64_t n = x.extent(0);
  View out = c.workspace.take(x.shape(), x.dtype());  // (N,C)
  saved.x = x;
  saved.rstd = c.workspace.take({n});
  if (kind == NormKind::layer_norm) {
    saved.mean = c.workspace.take({n});
    c.kernels().layer_norm_forward(c.queue(), out, saved.mean, saved.rstd, x,
                                   c.parameters.at(weight), optional(c.parameters, bias), epsilon);
  } else {
    c.kernels().rms_norm_forward(c.queue(), out, saved.rstd, x, c.parameters.at(weight), epsilon);
  }
  return out;
}

void Norm::backward(const LayerContext& c, Parameters& gradients, View dx, ConstView dout,
                    const Saved& saved) const {
  if (kind == NormKind::layer_norm) {
    c.kernels().layer_norm_backward(c.queue(), dx, gradients.at(weight), optional(gradients, bias),
                                    dout, saved.x, c.parameters.at(weight), saved.mean, saved.rstd);
  } else {
    c.kernels().rms_norm_backward(c.queue(), dx, gradients.at(weight), dout, saved.x,
                                  c.parameters.at(weight), saved.rstd);
  }
}

}  // namespace precis
