// What is known of a row's softmax from parts of the vocabulary, and how parts are joined: shared
// by the vocabulary kernels and by sampling, the same on every instruction set.
#pragma once

#include <cmath>
#include <limits>

namespace precis::cpu {

/// One part of a row, as LogSoftmaxParts has it, but for the target.
struct RowPart {
  double max;       ///< Of the tempered logits z.
  double sum;       ///< Of exp(z - max).
  double weighted;  ///< Sum of exp(z - max) * (z - max); 0 unless the entropy is asked for.
};

/// Both parts, at the larger maximum.
[[nodiscard]] inline RowPart joined(const RowPart& a, const RowPart& b) {
  if (std::isnan(a.max) || std::isnan(b.max)) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan};
  }
  const RowPart& high = a.max >= b.max ? a : b;
  const RowPart& low = a.max >= b.max ? b : a;
  if (std::isinf(low.max)) {
    return high;
  }
  const double step = low.max - high.max;
  const double factor = std::exp(step);
  return {high.max, high.sum + low.sum * factor,
          high.weighted + (low.weighted + low.sum * step) * factor};
}

struct RowStatistics {
  double max;      ///< Of the tempered logits z.
  double sum;      ///< Of exp(z - max).
  double excess;   ///< log(sum): the log-sum-exp less max.
  double entropy;  ///< In nats, of parts made with it.
};

/// H = log_sum_exp - sum p z = log S - (sum exp(z - max) (z - max)) / S. All are NaN where no
/// logit is finite, or one is NaN.
[[nodiscard]] inline RowStatistics statistics_of(const RowPart& whole) {
  if (!std::isfinite(whole.max)) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan};
  }
  const double excess = std::log(whole.sum);
  return {whole.max, whole.sum, excess, excess - whole.weighted / whole.sum};
}

/// The log-prob of a token whose tempered logit is z.
[[nodiscard]] inline float row_logprob(double z, const RowStatistics& statistics) {
  return static_cast<float>(z - statistics.max - statistics.excess);
}

}  // namespace precis::cpu
