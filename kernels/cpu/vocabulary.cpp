#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/vocabulary.cpp"  // NOLINT
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include <functional>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/vocabulary-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

RowPart log_softmax_part(const float* logits, std::int64_t n, float temperature, bool entropy) {
  return entropy ? row_part<true>(logits, n, temperature) : row_part<false>(logits, n, temperature);
}

/// target: where it is in the row; outside of it nothing is added.
void log_softmax_backward_row(float* logits, std::int64_t vocabulary, float log_sum_exp,
                              std::int64_t target, float dlogprob, float temperature) {
  const Floats d;
  // Exp(NaN) is 0 in Highway: a NaN has to come through the factor.
  const float gradient = std::isnan(log_sum_exp) ? log_sum_exp : dlogprob / temperature;
  const auto shift = hn::Set(d, log_sum_exp);
  const auto factor = hn::Set(d, -gradient);
  transform(logits, vocabulary, [&](FloatVector v) HWY_ATTR {
    return hn::Mul(hn::Exp(d, hn::Sub(tempered(v, temperature), shift)), factor);
  });
  if (0 <= target && target < vocabulary) {
    logits[target] += gradient;
  }
}

double kl_part(const float* logits, float log_sum_exp, const float* reference_logits,
               float reference_log_sum_exp, std::int64_t n, float temperature) {
  if (std::isnan(log_sum_exp) || std::isnan(reference_log_sum_exp)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const Floats d;
  const auto shift = hn::Set(d, log_sum_exp);
  const auto reference_shift = hn::Set(d, reference_log_sum_exp);
  StretchSum sum;
  const auto add = [&](FloatVector x, FloatVector reference) HWY_ATTR {
    const auto log_p = hn::Sub(tempered(x, temperature), shift);
    const auto log_q = hn::Sub(tempered(reference, temperature), reference_shift);
    const auto p = hn::Exp(d, log_p);
    // 0 log 0 = 0, also where both logits are minus infinity.
    sum.add(hn::IfThenZeroElse(hn::Eq(p, hn::Zero(d)), hn::Mul(p, hn::Sub(log_p, log_q))));
  };
  std::int64_t v = 0;
  for (; v + float_lanes() <= n; v += float_lanes()) {
    add(hn::LoadU(d, logits + v), hn::LoadU(d, reference_logits + v));
  }
  if (v < n) {
    constexpr float lowest = -std::numeric_limits<float>::infinity();
    add(load_filled(logits + v, n - v, lowest), load_filled(reference_logits + v, n - v, lowest));
  }
  return sum.total();
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {

HWY_EXPORT(log_softmax_part);
HWY_EXPORT(log_softmax_backward_row);
HWY_EXPORT(kl_part);

void log_softmax_parts(Queue&, View partials, ConstView logits, ConstView targets,
                       std::int64_t first, double temperature, SumParts parts, bool entropy) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const std::int64_t count = part_count(parts);
  const auto divisor = static_cast<float>(temperature);
  const auto of_part = &HWY_DYNAMIC_DISPATCH(log_softmax_part);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    const float* const row = logits.data<float>() + p * vocabulary;
    const std::int64_t target = targets.data<std::int32_t>()[p] - first;
    for (std::int64_t number = 0; number < count; ++number) {
      const auto [begin, end] = part_of(parts, number, vocabulary);
      const RowPart part = of_part(row + begin, end - begin, divisor, entropy);
      const bool is_here = begin <= target && target < end;
      double* const out = partials.data<double>() + (number * rows + p) * 4;
      out[0] = part.max;
      out[1] = part.sum;
      out[2] = part.weighted;
      out[3] = is_here ? static_cast<double>(row[target] / divisor) : 0.0;
    }
  }
}

void log_softmax_join(Queue&, View logprob, View log_sum_exp, View entropy, ConstView partials) {
  const std::int64_t count = partials.extent(0);
  const std::int64_t rows = partials.extent(1);
  for (std::int64_t p = 0; p < rows; ++p) {
    const auto of_part = [&](std::int64_t number) {
      return partials.data<double>() + (number * rows + p) * 4;
    };
    const RowStatistics statistics = statistics_of(in_tree(
        0, count,
        [&](std::int64_t number) {
          const double* const part = of_part(number);
          return RowPart{part[0], part[1], part[2]};
        },
        joined));
    double target = 0.0;  // in one part at most; zeros are added to it
    for (std::int64_t number = 0; number < count; ++number) {
      target += of_part(number)[3];
    }
    logprob.data<float>()[p] = row_logprob(target, statistics);
    log_sum_exp.data<float>()[p] = static_cast<float>(statistics.max + statistics.excess);
    if (!entropy.empty()) {
      entropy.data<float>()[p] = static_cast<float>(statistics.entropy);
    }
  }
}

void log_softmax_backward(Queue&, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, std::int64_t first, double temperature) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(log_softmax_backward_row);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    row(logits.data<float>() + p * vocabulary, vocabulary, log_sum_exp.data<float>()[p],
        targets.data<std::int32_t>()[p] - first, dlogprob.data<float>()[p],
        static_cast<float>(temperature));
  }
}

void kl_parts(Queue&, View partials, ConstView logits, ConstView log_sum_exp,
              ConstView reference_logits, ConstView reference_log_sum_exp, double temperature,
              SumParts parts) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const std::int64_t count = part_count(parts);
  const auto of_part = &HWY_DYNAMIC_DISPATCH(kl_part);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    for (std::int64_t number = 0; number < count; ++number) {
      const PartRange range = part_of(parts, number, vocabulary);
      const std::int64_t place = p * vocabulary + range.begin;
      partials.data<double>()[number * rows + p] =
          of_part(logits.data<float>() + place, log_sum_exp.data<float>()[p],
                  reference_logits.data<float>() + place, reference_log_sum_exp.data<float>()[p],
                  range.size(), static_cast<float>(temperature));
    }
  }
}

void kl_join(Queue&, View kl, ConstView partials) {
  const std::int64_t rows = partials.extent(1);
  for (std::int64_t p = 0; p < rows; ++p) {
    kl.data<float>()[p] = static_cast<float>(in_tree(
        0, partials.extent(0),
        [&](std::int64_t number) { return partials.data<double>()[number * rows + p]; },
        std::plus<>()));
  }
}

}  // namespace precis::cpu
#endif
