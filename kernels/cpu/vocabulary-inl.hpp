// The log-softmax of one row of logits, shared by the vocabulary kernels and by sampling so that
// both give the same bits. Compiled once for each instruction set.
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

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

/// Exponents below give 0 in f32; Highway's Exp returns 0 there, and for a NaN.
inline constexpr float lowest_exponent = -104.0F;

struct RowStatistics {
  double max;      ///< Of the tempered logits z.
  double sum;      ///< Of exp(z - max).
  double excess;   ///< log(sum): the log-sum-exp less max.
  double entropy;  ///< In nats; 0 unless asked for.
};

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

/// Two passes: the maximum, then sums of exp(z - max) and, for the entropy, of exp(z - max) * (z -
/// max): H = log_sum_exp - sum p z = log S - (sum exp(z - max) (z - max)) / S.
template <bool with_entropy>
HWY_INLINE RowStatistics row_statistics(const float* logits, std::int64_t vocabulary,
                                        float temperature) {
  const Floats d;
  const float max = row_max(logits, vocabulary) / temperature;
  if (!std::isfinite(max)) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan};
  }
  const auto shift = hn::Set(d, max);
  const auto lowest = hn::Set(d, lowest_exponent);
  StretchSum sum;
  StretchSum weighted;
  for_each_vector(logits, vocabulary, -std::numeric_limits<float>::infinity(),
                  [&](FloatVector v) HWY_ATTR {
                    const auto z = hn::Sub(tempered(v, temperature), shift);
                    const auto e = hn::Exp(d, z);
                    sum.add(e);
                    if constexpr (with_entropy) {
                      // A logit of minus infinity has p = 0 and adds nothing.
                      weighted.add_product(e, hn::Max(z, lowest));
                    }
                  });
  const double total = sum.total();
  const double log_total = std::log(total);
  return {static_cast<double>(max), total, log_total,
          with_entropy ? log_total - weighted.total() / total : 0.0};
}

/// The log-prob of `token` in a row with these statistics.
inline float row_logprob(const float* logits, std::int64_t token, float temperature,
                         const RowStatistics& statistics) {
  return static_cast<float>(static_cast<double>(logits[token] / temperature) - statistics.max -
                            statistics.excess);
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
