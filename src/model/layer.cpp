#include "model/layer.hpp"

#include <utility>
#include <vector>

namespace precis {
namespace {

constexpr int sums_tag = 10;

ConstView optional(const Parameters& parameters, int index) {
  return index < 0 ? ConstView{} : parameters.at(index);
}
View optional(Parameters& parameters, int index) {
  return index < 0 ? View{} : parameters.at(index);
}

}  // namespace

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

View RowParallel::forward(const LayerContext& c, const RowShare& share, ConstView x,
                          ConstView residual, View out) const {
  const View y = out.empty() ? c.workspace.take(residual.shape(), residual.dtype()) : out;
  const Pack& packed = c.parameters.packed(weight, PackFor::forward);
  const ConstView added = c.parameters.rounded(bias, y.dtype());
  if (c.tensor() == nullptr) {
    c.kernels().linear_forward(c.queue(), y, x, packed, parts, added, residual);
    return y;
  }
  // The residual may be in `out`.
  const WorkspaceScope scope(c.workspace);
  const bool in_place = out.empty() && !share.is_divided();
  const View terms = in_place ? y : c.workspace.take({x.extent(0), y.extent(1)}, y.dtype());
  c.kernels().linear_forward(c.queue(), terms, x, packed, parts, {}, {});
  const View sum = sum_of_my_rows(c, share, terms);
  c.kernels().add_bias(c.queue(), sum, added, residual);
  if (!in_place) {
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

View summed_input_gradient_of(const LayerContext& c, const RowShare& share,
                              std::initializer_list<LayerGradient> layers) {
  const ConstView dy = layers.begin()->dy;
  const std::int64_t width = c.parameters.at(layers.begin()->layer.weight).extent(1);
  const View mine =
      c.workspace.take({share.count(c.tensor_rank(), dy.extent(0)), width}, dy.dtype());
  if (!share.is_divided()) {
    summed_input_gradient_of(c, mine, layers);
    return mine;
  }
  const WorkspaceScope scope(c.workspace);
  const View terms = c.workspace.take({dy.extent(0), width}, dy.dtype());
  input_gradient_of(c, terms, layers);
  c.kernels().copy(c.queue(), mine, sum_of_my_rows(c, share, terms));
  return mine;
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

void Norm::backward(const LayerContext& c, const RowShare& share, Parameters& gradients, View dx,
                    ConstView dout, const Saved& saved) const {
  if (share.is_divided()) {
    receive_sums(c, gradients);
  }
  if (kind == NormKind::layer_norm) {
    c.kernels().layer_norm_backward(c.queue(), dx, gradients.at(weight), optional(gradients, bias),
                                    dout, saved.x, c.parameters.at(weight), saved.mean, saved.rstd);
  } else {
    c.kernels().rms_norm_backward(c.queue(), dx, gradients.at(weight), dout, saved.x,
                                  c.parameters.at(weight), saved.rstd);
  }
  if (share.is_divided() && c.tensor()->rank() + 1 < c.tensor()->size()) {
    for (const View sum : sums_of(gradients)) {
      c.tensor()->send(c.queue(), sum, c.tensor()->rank() + 1, sums_tag);
    }
  }
}

void Norm::receive_sums(const LayerContext& c, Parameters& gradients) const {
  Communicator& ranks = *c.tensor();
  const int last = ranks.size() - 1;
  if (ranks.rank() == last) {
    // It has the sums over the micro-batches so far; rank 0 waits for all of them before it goes
    // on.
    for (const View sum : sums_of(gradients)) {
      ranks.send(c.queue(), sum, 0, sums_tag);
    }
  }
  for (const View sum : sums_of(gradients)) {
    ranks.receive(c.queue(), sum, ranks.rank() == 0 ? last : ranks.rank() - 1, sums_tag);
  }
}

void Norm::share_gradients(const LayerContext& c, Parameters& gradients) const {
  for (const View sum : sums_of(gradients)) {
    c.tensor()->broadcast(c.queue(), sum, c.tensor()->size() - 1);
  }
}

std::vector<View> Norm::sums_of(Parameters& gradients) const {
  std::vector<View> sums{gradients.at(weight)};
  if (bias >= 0) {
    sums.push_back(gradients.at(bias));
  }
  return sums;
}

}  // namespace precis
