#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw.cpp"  // NOLINT
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include <cmath>

#include "kernels/adamw_factors.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

void adamw_chunk(float* parameter, float* first, float* second, const float* gradient,
                 std::int64_t n, float scale, const AdamWFactors& factors) {
  const Floats d;
  const auto gradient_scale = hn::Set(d, scale);
  const auto keep = hn::Set(d, factors.keep);
  const auto beta1_rest = hn::Set(d, factors.beta1_rest);
  const auto beta2 = hn::Set(d, factors.beta2);
  const auto beta2_rest = hn::Set(d, factors.beta2_rest);
  const auto root_scale = hn::Set(d, factors.root_scale);
  const auto epsilon = hn::Set(d, factors.epsilon);
  const auto step = hn::Set(d, factors.step);
  for (std::int64_t i = 0; i < n; i += float_lanes()) {
    const auto count = static_cast<std::size_t>(std::min(float_lanes(), n - i));
    const auto g = hn::Mul(load_part(d, gradient + i, count), gradient_scale);
    auto m = load_part(d, first + i, count);
    auto v = load_part(d, second + i, count);
    auto p = load_part(d, parameter + i, count);
    m = hn::MulAdd(beta1_rest, hn::Sub(g, m), m);
    v = hn::MulAdd(hn::Mul(beta2_rest, g), g, hn::Mul(beta2, v));
    const auto denominator = hn::MulAdd(hn::Sqrt(v), root_scale, epsilon);
    p = hn::NegMulAdd(step, hn::Div(m, denominator), hn::Mul(p, keep));
    store_part(m, d, first + i, count);
    store_part(v, d, second + i, count);
    store_part(p, d, parameter + i, count);
  }
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {

HWY_EXPORT(adamw_chunk);

void adamw_step(Queue&, View parameter, View first, View second, ConstView gradient,
                ConstView gradient_scale, const AdamW& settings) {
  const std::int64_t n = parameter.numel();
  const AdamWFactors factors = adamw_factors(settings);
  const auto update = &HWY_DYNAMIC_DISPATCH(adamw_chunk);
  constexpr std::int64_t chunk = 1 << 14;
#pragma omp parallel for schedule(static) if (n > chunk)
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    update(parameter.data<float>() + begin, first.data<float>() + begin,
           second.data<float>() + begin, gradient.data<float>() + begin, std::min(chunk, n - begin),
           *gradient_scale.data<float>(), factors);
  }
}

}  // namespace precis::cpu
#endif
