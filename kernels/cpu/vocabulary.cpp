#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/vocabulary.cpp"  // NOLINT
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/vocabulary-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

/// entropy may be null.
void log_softmax_row(float* logprob, float* log_sum_exp, float* entropy, const float* logits,
                     std::int64_t vocabulary, std::int64_t target, float temperature) {
  const RowStatistics statistics = entropy == nullptr
                                       ? row_statistics<false>(logits, vocabulary, temperature)
                                       : row_statistics<true>(logits, vocabulary, temperature);
  *logprob = row_logprob(logits, target, temperature, statistics);
  *log_sum_exp = static_cast<float>(statistics.max + statistics.excess);
  if (entropy != nullptr) {
    *entropy = static_cast<float>(statistics.entropy);
  }
}

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
  logits[target] += gradient;
}

float kl_row(const float* logits, float log_sum_exp, const float* reference_logits,
             float reference_log_sum_exp, std::int64_t vocabulary, float temperature) {
  if (std::isnan(log_sum_exp) || std::isnan(reference_log_sum_exp)) {
    return std::numeric_limits<float>::quiet_NaN();
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
  for (; v + float_lanes() <= vocabulary; v += float_lanes()) {
    add(hn::LoadU(d, logits + v), hn::LoadU(d, reference_logits + v));
  }
  if (v < vocabulary) {
    constexpr float lowest = -std::numeric_limits<float>::infinity();
    add(load_filled(logits + v, vocabulary - v, lowest),
        load_filled(reference_logits + v, vocabulary - v, lowest));
  }
  return static_cast<float>(sum.total());
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {

HWY_EXPORT(log_softmax_row);
HWY_EXPORT(log_softmax_backward_row);
HWY_EXPORT(kl_row);

void log_softmax_forward(Queue&, View logprob, View log_sum_exp, View entropy, ConstView logits,
                         ConstView targets, double temperature) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(log_softmax_row);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    const std::int32_t target = targets.data<std::int32_t>()[p];
    assert(target >= 0 && target < vocabulary);
    row(logprob.data<float>() + p, log_sum_exp.data<float>() + p,
        entropy.empty() ? nullptr : entropy.data<float>() + p,
        logits.data<float>() + p * vocabulary, vocabulary, target, static_cast<float>(temperature));
  }
}

void log_softmax_backward(Queue&, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, double temperature) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(log_softmax_backward_row);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    const std::int32_t target = targets.data<std::int32_t>()[p];
    assert(target >= 0 && target < vocabulary);
    row(logits.data<float>() + p * vocabulary, vocabulary, log_sum_exp.data<float>()[p], target,
        dlogprob.data<float>()[p], static_cast<float>(temperature));
  }
}

void kl_divergence(Queue&, View kl, ConstView logits, ConstView log_sum_exp,
                   ConstView reference_logits, ConstView reference_log_sum_exp,
                   double temperature) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(kl_row);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t p = 0; p < rows; ++p) {
    kl.data<float>()[p] =
        row(logits.data<float>() + p * vocabulary, log_sum_exp.data<float>()[p],
            reference_logits.data<float>() + p * vocabulary, reference_log_sum_exp.data<float>()[p],
            vocabulary, static_cast<float>(temperature));
  }
}

}  // namespace precis::cpu
#endif
