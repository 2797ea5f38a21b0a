// The parts of a row's log-softmax, shared by the vocabulary kernels and by sampling so that both
// give the same bits. Compiled once for each instruction set.
#if defined(PRECIS_KERNELS_CPU_VOCABULARY_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef PRECIS_KERNELS_CPU_VOCABULARY_INL_HPP
#undef PRECIS_KERNELS_CPU_VOCABULARY_INL_HPP
#else
#define PRECIS_KERNELS_CPU_VOCABULARY_INL_HPP
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/cpu/vocabulary.hpp"
#include "kernels/sum_parts.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

/// Exponents below give 0 in f32; Highway's Exp returns 0 there, and for a NaN.
inline constexpr float lowest_exponent = -104.0F;

/// logits / temperature; temperature 1 keeps every bit.
HWY_INLINE FloatVector tempered(FloatVector logits, float temperature) {
  return temperature == 1.0F ? logits : hn::Div(logits, hn::Set(Floats(), temperature));
}

/// The largest of x[0, n); a NaN if there is one.
HWY_INLINE float row_max(const float* x, std::int64_t n) {
  const Floats d;
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  auto max = hn::Set(d, lowest);
  auto nan = hn::IsNaN(max);
  for_each_vector(x, n, lowest, [&](FloatVector v) HWY_ATTR {
    max = hn::Max(max, v);
    nan = hn::Or(nan, hn::IsNaN(v));
  });
  return hn::AllFalse(d, nan) ? hn::GetLane(hn::MaxOfLanes(d, max))
                              : std::numeric_limits<float>::quiet_NaN();
}

/// Of logits[0, n). Two passes: the maximum, then sums of exp(z - max) and, for the entropy, of
/// exp(z - max) * (z - max).
template <bool with_entropy>
HWY_INLINE RowPart row_part(const float* logits, std::int64_t n, float temperature) {
  const Floats d;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float max = row_max(logits, n) / temperature;
  if (max == -infinity) {
    return {-infinity, 0.0, 0.0};
  }
  if (!std::isfinite(max)) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan};
  }
  const auto shift = hn::Set(d, max);
  const auto lowest = hn::Set(d, lowest_exponent);
  StretchSum sum;
  StretchSum weighted;
  for_each_vector(logits, n, -infinity, [&](FloatVector v) HWY_ATTR {
    const auto z = hn::Sub(tempered(v, temperature), shift);
    const auto e = hn::Exp(d, z);
    sum.add(e);
    if constexpr (with_entropy) {
      // A logit of minus infinity has p = 0 and adds nothing.
      weighted.add_product(e, hn::Max(z, lowest));
    }
  });
  const double total = sum.total();
  return {static_cast<double>(max), total, with_entropy ? weighted.total() : 0.0};
}

/// Of a row whose vocabulary is in `parts`.
HWY_INLINE RowStatistics row_statistics(const float* logits, std::int64_t vocabulary,
                                        float temperature, SumParts parts) {
  return statistics_of(in_tree(
      0, part_count(parts),
      [&](std::int64_t p) HWY_ATTR {
        const PartRange range = part_of(parts, p, vocabulary);
        return row_part<false>(logits + range.begin, range.size(), temperature);
      },
      joined));
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
