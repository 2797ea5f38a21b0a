// GELU and gated SiLU. Every element takes the same vector arithmetic wherever it is.
#include <algorithm>

#include "kernels/cpu/kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activations.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/contrib/math/math-inl.h>
#include "kernels/cpu/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

using Tag = hn::ScalableTag<float>;
using Lane = hn::Vec<Tag>;

HWY_INLINE Lane constant(double value) { return hn::Set(Tag(), static_cast<float>(value)); }

struct Sigmoid {
  Lane value;
  Lane complement;  ///< 1 - value, accurate where value is near 1.
};

/// 1 / (1 + exp(-x)) without overflow.
HWY_INLINE Sigmoid sigmoid(Lane x) {
  const Tag d;
  const Lane one = constant(1.0);
  const Lane small = hn::Exp(d, hn::Neg(hn::Abs(x)));
  const Lane inverse = hn::Div(one, hn::Add(one, small));
  const Lane other = hn::Mul(small, inverse);
  const auto positive = hn::Ge(x, hn::Zero(d));
  return {hn::IfThenElse(positive, inverse, other), hn::IfThenElse(positive, other, inverse)};
}

struct Normal {
  Lane density;     ///< exp(-x^2/2) / sqrt(2 pi).
  Lane cumulative;  ///< (1 + erf(x / sqrt(2))) / 2, relative error below 5e-7 in the lower tail.
};

/// The normal distribution. With a = |x| and t = 1/(1 + 0.3 a), the tail is exp(-a^2/2) * t * p(t);
/// p is a minimax polynomial (relative error 6e-9 for a below 20) of exp(a^2/2) * erfc(a/sqrt(2)) /
/// (2 t), fitted by iterated weighted least squares on Chebyshev nodes.
HWY_INLINE Normal normal(Lane x) {
  const Tag d;
  const Lane a = hn::Min(hn::Abs(x), constant(20.0));
  const Lane square = hn::Mul(a, a);
  // What rounding took from the square matters in the tail: d exp(y) = exp(y) dy.
  const Lane lost = hn::MulSub(a, a, square);
  const Lane rough = hn::Exp(d, hn::Mul(constant(-0.5), square));
  const Lane bell = hn::NegMulAdd(hn::Mul(constant(0.5), lost), rough, rough);
  const Lane t = hn::Div(constant(1.0), hn::MulAdd(constant(0.3), a, constant(1.0)));
  Lane p = constant(-0.0199823249);
  p = hn::MulAdd(p, t, constant(0.109178193));
  p = hn::MulAdd(p, t, constant(-0.221093863));
  p = hn::MulAdd(p, t, constant(0.183023959));
  p = hn::MulAdd(p, t, constant(-0.0727570802));
  p = hn::MulAdd(p, t, constant(0.0929142535));
  p = hn::MulAdd(p, t, constant(0.0793944225));
  p = hn::MulAdd(p, t, constant(0.110044777));
  p = hn::MulAdd(p, t, constant(0.119591855));
  p = hn::MulAdd(p, t, constant(0.119685799));
  const Lane tail = hn::Mul(bell, hn::Mul(t, p));
  return {hn::Mul(constant(0.398942280401432678), bell),
          hn::IfThenElse(hn::Ge(x, hn::Zero(d)), hn::Sub(constant(1.0), tail), tail)};
}

constexpr double root_8_over_pi = 1.59576912160573071;  // 2 sqrt(2/pi)
constexpr double cubic = 0.044715;

/// (1 + tanh(u)) / 2 = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3). Beyond 30 nothing changes.
HWY_INLINE Lane limited(Lane x) { return hn::Max(hn::Min(x, constant(30.0)), constant(-30.0)); }
HWY_INLINE Sigmoid tanh_gate(Lane x) {
  const Lane inner =
      hn::MulAdd(constant(root_8_over_pi * cubic), hn::Mul(x, x), constant(root_8_over_pi));
  return sigmoid(hn::Mul(x, inner));
}

HWY_INLINE Lane gelu(Lane x, Gelu kind) {
  return hn::Mul(x, kind == Gelu::erf ? normal(x).cumulative : tanh_gate(limited(x)).value);
}

HWY_INLINE Lane gelu_derivative(Lane x, Gelu kind) {
  if (kind == Gelu::erf) {
    const Normal n = normal(x);
    return hn::MulAdd(x, n.density, n.cumulative);
  }
  const Lane xl = limited(x);
  const Sigmoid gate = tanh_gate(xl);
  const Lane inner_derivative =
      hn::MulAdd(constant(3.0 * root_8_over_pi * cubic), hn::Mul(xl, xl), constant(root_8_over_pi));
  const Lane slope = hn::Mul(hn::Mul(gate.value, gate.complement), inner_derivative);
  return hn::MulAdd(x, slope, gate.value);
}

void gelu_forward_span(float* out, const float* x, std::size_t n, Gelu kind) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const std::size_t count = std::min(hn::Lanes(d), n - i);
    store_part(gelu(load_part(d, x + i, count), kind), d, out + i, count);
  }
}

void gelu_backward_span(float* dx, const float* dout, const float* x, std::size_t n, Gelu kind) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const std::size_t count = std::min(hn::Lanes(d), n - i);
    const Lane derivative = gelu_derivative(load_part(d, x + i, count), kind);
    store_part(hn::Mul(load_part(d, dout + i, count), derivative), d, dx + i, count);
  }
}

void gated_silu_forward_span(float* out, const float* gate, const float* up, std::size_t n) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const std::size_t count = std::min(hn::Lanes(d), n - i);
    const Lane g = load_part(d, gate + i, count);
    const Lane silu = hn::Mul(g, sigmoid(g).value);
    store_part(hn::Mul(silu, load_part(d, up + i, count)), d, out + i, count);
  }
}

void gated_silu_backward_span(float* dgate, float* dup, const float* dout, const float* gate,
                              const float* up, std::size_t n) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const std::size_t count = std::min(hn::Lanes(d), n - i);
    const Lane g = load_part(d, gate + i, count);
    const Lane gradient = load_part(d, dout + i, count);
    const Sigmoid s = sigmoid(g);
    // silu'(g) = s + g s (1 - s)
    const Lane derivative = hn::MulAdd(hn::Mul(g, s.value), s.complement, s.value);
    const Lane u = load_part(d, up + i, count);
    store_part(hn::Mul(hn::Mul(gradient, u), derivative), d, dgate + i, count);
    store_part(hn::Mul(gradient, hn::Mul(g, s.value)), d, dup + i, count);
  }
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {

HWY_EXPORT(gelu_forward_span);
HWY_EXPORT(gelu_backward_span);
HWY_EXPORT(gated_silu_forward_span);
HWY_EXPORT(gated_silu_backward_span);

/// Calls span(begin, count) for pieces of n elements, in parallel.
template <class Span>
void over_spans(std::int64_t n, const Span& span) {
  constexpr std::int64_t length = 8192;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < n; begin += length) {
    span(begin, static_cast<std::size_t>(std::min(length, n - begin)));
  }
}

}  // namespace

void gelu_forward(Queue&, View out, ConstView x, Gelu kind) {
  float* to = out.data<float>();
  const float* from = x.data<float>();
  over_spans(x.numel(), [=](std::int64_t i, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(gelu_forward_span)(to + i, from + i, count, kind);
  });
}

void gelu_backward(Queue&, View dx, ConstView dout, ConstView x, Gelu kind) {
  float* to = dx.data<float>();
  const float* gradient = dout.data<float>();
  const float* from = x.data<float>();
  over_spans(x.numel(), [=](std::int64_t i, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(gelu_backward_span)(to + i, gradient + i, from + i, count, kind);
  });
}

void gated_silu_forward(Queue&, View out, ConstView gate, ConstView up) {
  float* to = out.data<float>();
  const float* g = gate.data<float>();
  const float* u = up.data<float>();
  over_spans(gate.numel(), [=](std::int64_t i, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(gated_silu_forward_span)(to + i, g + i, u + i, count);
  });
}

void gated_silu_backward(Queue&, View dgate, View dup, ConstView dout, ConstView gate,
                         ConstView up) {
  float* to_gate = dgate.data<float>();
  float* to_up = dup.data<float>();
  const float* gradient = dout.data<float>();
  const float* g = gate.data<float>();
  const float* u = up.data<float>();
  over_spans(gate.numel(), [=](std::int64_t i, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(gated_silu_backward_span)
    (to_gate + i, to_up + i, gradient + i, g + i, u + i, count);
  });
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
