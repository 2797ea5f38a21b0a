// Rotary position embedding.
#include <omp.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/cpu/rotary.hpp"
#include "kernels/rotary_frequency.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "kernels/cpu/partial-inl.hpp"

#ifndef PRECIS_KERNELS_CPU_ROTARY_TYPES
#define PRECIS_KERNELS_CPU_ROTARY_TYPES
namespace precis::cpu {
namespace {

struct RotaryTokens {
  struct Heads {
    float* x;  ///< (N,count,head_dim)
    std::int64_t count;
  };
  Heads queries, keys;
  const std::int32_t* positions;
  const float* frequencies;  ///< `pairs` of them.
  std::int64_t head_dim;
  std::int64_t pairs;
  float sine_sign;  ///< 1, or -1 to turn back.
};

}  // namespace
}  // namespace precis::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

using Tag = hn::ScalableTag<float>;
/// As many f32 as there are f64 in a vector.
using HalfTag = hn::Half<Tag>;

/// cos and sin of position * frequencies. The angle is reduced to [-pi/4, pi/4] in f64; there the
/// Taylor series to x^9 and x^10 are within 3e-9 of f32's exact values.
HWY_INLINE void turn(float* cosine, float* sine, const RotaryTokens& tokens, float position) {
  const HalfTag d;
  const hn::Rebind<double, HalfTag> wide;
  const hn::Rebind<std::int32_t, HalfTag> whole;
  const auto n = static_cast<std::size_t>(tokens.pairs);
  constexpr double quarter = std::numbers::pi / 2.0;
  constexpr double quarter_rest = 6.123233995736766e-17;  // pi/2 - its f64 rounding
  const auto constant = [&](double value)
                            HWY_ATTR { return hn::Set(d, static_cast<float>(value)); };
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const std::size_t count = std::min(hn::Lanes(d), n - i);
    const auto angle = hn::PromoteTo(
        wide, hn::Mul(load_part(d, tokens.frequencies + i, count), hn::Set(d, position)));
    const auto quarters = hn::Round(hn::Mul(angle, hn::Set(wide, 1.0 / quarter)));
    const auto rest = hn::NegMulAdd(quarters, hn::Set(wide, quarter_rest),
                                    hn::NegMulAdd(quarters, hn::Set(wide, quarter), angle));
    const auto r = hn::DemoteTo(d, rest);
    const auto z = hn::Mul(r, r);
    auto s = hn::MulAdd(z, constant(1.0 / 362880.0), constant(-1.0 / 5040.0));
    s = hn::MulAdd(z, s, constant(1.0 / 120.0));
    s = hn::MulAdd(z, s, constant(-1.0 / 6.0));
    s = hn::MulAdd(hn::Mul(z, r), s, r);
    auto c = hn::MulAdd(z, constant(-1.0 / 3628800.0), constant(1.0 / 40320.0));
    c = hn::MulAdd(z, c, constant(-1.0 / 720.0));
    c = hn::MulAdd(z, c, constant(1.0 / 24.0));
    c = hn::MulAdd(z, c, constant(-0.5));
    c = hn::MulAdd(z, c, constant(1.0));
    const auto quadrant = hn::DemoteTo(whole, quarters);
    const auto one = hn::Set(whole, 1);
    const auto two = hn::Set(whole, 2);
    const auto swapped = hn::RebindMask(d, hn::Eq(hn::And(quadrant, one), one));
    const auto sine_sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(quadrant, two)));
    const auto cosine_sign =
        hn::BitCast(d, hn::ShiftLeft<30>(hn::And(hn::Add(quadrant, one), two)));
    store_part(hn::Xor(hn::IfThenElse(swapped, s, c), cosine_sign), d, cosine + i, count);
    store_part(
        hn::Mul(hn::Xor(hn::IfThenElse(swapped, c, s), sine_sign), hn::Set(d, tokens.sine_sign)), d,
        sine + i, count);
  }
}

/// Tokens [begin, end); `turns` is memory for 2 * pairs elements.
void rotate_tokens(const RotaryTokens& tokens, std::int64_t begin, std::int64_t end, float* turns) {
  const Tag d;
  const auto n = static_cast<std::size_t>(tokens.pairs);
  float* cosine = turns;
  float* sine = cosine + n;
  for (std::int64_t token = begin; token < end; ++token) {
    turn(cosine, sine, tokens, static_cast<float>(tokens.positions[token]));
    for (const RotaryTokens::Heads& heads : {tokens.queries, tokens.keys}) {
      for (std::int64_t head = 0; head < heads.count; ++head) {
        float* first = heads.x + (token * heads.count + head) * tokens.head_dim;
        float* second = first + n;
        for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
          const std::size_t count = std::min(hn::Lanes(d), n - i);
          const auto c = load_part(d, cosine + i, count);
          const auto s = load_part(d, sine + i, count);
          const auto x = load_part(d, first + i, count);
          const auto y = load_part(d, second + i, count);
          store_part(hn::MulSub(x, c, hn::Mul(y, s)), d, first + i, count);
          store_part(hn::MulAdd(y, c, hn::Mul(x, s)), d, second + i, count);
        }
      }
    }
  }
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {

HWY_EXPORT(rotate_tokens);

}  // namespace

void rotate(Queue& queue, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation direction) {
  const std::int64_t count = q.extent(0);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t dims = rule.dims;
  const std::vector<float> frequencies = rotary_frequencies(dims, rule.base);
  const RotaryTokens tokens{.queries = {q.data<float>(), q.extent(1)},
                            .keys = {k.data<float>(), k.extent(1)},
                            .positions = positions.data<std::int32_t>(),
                            .frequencies = frequencies.data(),
                            .head_dim = head_dim,
                            .pairs = dims / 2,
                            .sine_sign = direction == Rotation::forward ? 1.0F : -1.0F};
  float* turns = scratch_of(queue).of<float>(omp_get_max_threads() * dims);
  constexpr std::int64_t chunk = 16;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    HWY_DYNAMIC_DISPATCH(rotate_tokens)
    (tokens, begin, std::min(begin + chunk, count), turns + omp_get_thread_num() * dims);
  }
}

void rotary(Queue& queue, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation direction) {
  rotate(queue, q, k, positions, rule, direction);
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
