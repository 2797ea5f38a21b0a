#include <vector>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

struct PlainPack {
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::vector<float> weight;  // (out, in)
};

}  // namespace

Pack pack_weight(Queue& /*queue*/, ConstView weight, PackFor /*purpose*/, DType precision,
                 Pack /*former*/) {
  const float* data = weight.data<float>();
  return Pack(
      std::make_shared<PlainPack>(PlainPack{weight.extent(0), weight.extent(1),
                                            std::vector<float>(data, data + weight.numel())}),
      weight.shape(), precision);
}

// In double the order of a sum does not show, so parts are not looked at.
void linear_forward(Queue& /*queue*/, View y, ConstView x, const Pack& weight, SumParts /*parts*/,
                    ConstView bias, ConstView residual) {
  const auto& w = weight.state<PlainPack>();
  float* out = y.data<float>();
  const float* in = x.data<float>();
  for (std::int64_t n = 0; n < y.extent(0); ++n) {
    for (std::int64_t o = 0; o < w.out; ++o) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < w.in; ++i) {
        sum += static_cast<double>(in[n * w.in + i]) *
               w.weight[static_cast<std::size_t>(o * w.in + i)];
      }
      sum += bias.empty() ? 0.0F : bias.data<float>()[o];
      sum += residual.empty() ? 0.0F : residual.data<float>()[n * w.out + o];
      out[n * w.out + o] = static_cast<float>(sum);
    }
  }
}

void add_bias(Queue& /*queue*/, View y, ConstView bias, ConstView residual) {
  const std::int64_t columns = y.extent(1);
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    double sum = y.data<float>()[i];
    sum += bias.empty() ? 0.0F : bias.data<float>()[i % columns];
    sum += residual.empty() ? 0.0F : residual.data<float>()[i];
    y.data<float>()[i] = static_cast<float>(sum);
  }
}

void linear_gelu_forward(Queue& queue, View activated, View y, ConstView x, const Pack& weight,
                         ConstView bias, Gelu kind) {
  const View before = y.empty() ? activated : y;
  linear_forward(queue, before, x, weight, {}, bias, {});
  gelu_forward(queue, activated, before, kind);
}

void linear_input_gradient(Queue& /*queue*/, View dx, std::span<const GradientTerm> terms) {
  const std::int64_t columns = dx.extent(1);
  for (std::int64_t n = 0; n < dx.extent(0); ++n) {
    for (std::int64_t i = 0; i < columns; ++i) {
      double sum = 0.0;
      for (const GradientTerm& term : terms) {
        const auto& w = term.weight->state<PlainPack>();
        for (std::int64_t o = 0; o < w.out; ++o) {
          sum += static_cast<double>(term.dy.data<float>()[n * w.out + o]) *
                 w.weight[static_cast<std::size_t>(o * w.in + i)];
        }
      }
      dx.data<float>()[n * columns + i] = static_cast<float>(sum);
    }
  }
}

void linear_weight_gradient(Queue& /*queue*/, View dweight, View dbias, ConstView dy, ConstView x) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t out = dweight.extent(0);
  const std::int64_t in = dweight.extent(1);
  const float* gradient = dy.data<float>();
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t i = 0; i < in; ++i) {
      double sum = dweight.data<float>()[o * in + i];
      for (std::int64_t n = 0; n < rows; ++n) {
        sum += static_cast<double>(gradient[n * out + o]) * x.data<float>()[n * in + i];
      }
      dweight.data<float>()[o * in + i] = static_cast<float>(sum);
    }
    if (!dbias.empty()) {
      double sum = dbias.data<float>()[o];
      for (std::int64_t n = 0; n < rows; ++n) {
        sum += gradient[n * out + o];
      }
      dbias.data<float>()[o] = static_cast<float>(sum);
    }
  }
}

}  // namespace precis::reference
