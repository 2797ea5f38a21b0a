// GELU and gated SiLU, by their formulas.
#include <cmath>
#include <numbers>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

const double root_2_over_pi = std::sqrt(2.0 / std::numbers::pi);

double gelu(double x, Gelu kind) {
  if (kind == Gelu::erf) {
    return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  }
  // (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), which keeps its digits for negative u.
  const double u = root_2_over_pi * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(-2.0 * u));
}

double gelu_derivative(double x, Gelu kind) {
  if (kind == Gelu::erf) {
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::numbers::pi);
    return 0.5 * std::erfc(-x / std::numbers::sqrt2) + x * density;
  }
  const double u = root_2_over_pi * (x + 0.044715 * x * x * x);
  const double du = root_2_over_pi * (1.0 + 3.0 * 0.044715 * x * x);
  const double gate = 1.0 / (1.0 + std::exp(-2.0 * u));
  const double rest = 1.0 / (1.0 + std::exp(2.0 * u));
  return gate + 2.0 * x * gate * rest * du;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

void gelu_forward(Queue&, View out, ConstView x, Gelu kind) {
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    out.data<float>()[i] = static_cast<float>(gelu(x.data<float>()[i], kind));
  }
}

void gelu_backward(Queue&, View dx, ConstView dout, ConstView x, Gelu kind) {
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    dx.data<float>()[i] =
        static_cast<float>(dout.data<float>()[i] * gelu_derivative(x.data<float>()[i], kind));
  }
}

void gated_silu_forward(Queue&, View out, ConstView gate, ConstView up) {
  for (std::int64_t i = 0; i < gate.numel(); ++i) {
    const double g = gate.data<float>()[i];
    out.data<float>()[i] = static_cast<float>(g * sigmoid(g) * up.data<float>()[i]);
  }
}

void gated_silu_backward(Queue&, View dgate, View dup, ConstView dout, ConstView gate,
                         ConstView up) {
  for (std::int64_t i = 0; i < gate.numel(); ++i) {
    const double g = gate.data<float>()[i];
    const double u = up.data<float>()[i];
    const double gradient = dout.data<float>()[i];
    const double s = sigmoid(g);
    dgate.data<float>()[i] = static_cast<float>(gradient * u * (s + g * s * (1.0 - s)));
    dup.data<float>()[i] = static_cast<float>(gradient * g * s);
  }
}

}  // namespace precis::reference
