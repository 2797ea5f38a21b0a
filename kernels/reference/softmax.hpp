// The softmax of one row, in f64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/sum_parts.hpp"

namespace precis::reference {

/// logits (V) / temperature.
inline std::vector<double> tempered(const float* logits, std::int64_t vocabulary,
                                    double temperature) {
  std::vector<double> z(logits, logits + vocabulary);
  for (double& value : z) {
    value /= temperature;
  }
  return z;
}

/// p * log_ratio, with 0 log 0 = 0.
inline double times_log(double p, double log_ratio) { return p == 0.0 ? 0.0 : p * log_ratio; }

/// What is known of a row's softmax from some of its z; see LogSoftmaxParts.
struct RowPart {
  double max = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  double weighted = 0.0;
  double target = 0.0;
};

/// Of z[begin, end), without the target.
inline RowPart row_part(const std::vector<double>& z, PartRange range) {
  RowPart part;
  for (std::int64_t v = range.begin; v < range.end; ++v) {
    const double value = z[static_cast<std::size_t>(v)];
    // A NaN stays.
    part.max = std::isnan(value) || value > part.max ? value : part.max;
  }
  if (std::isnan(part.max) || part.max == std::numeric_limits<double>::infinity()) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {.max = nan, .sum = nan, .weighted = nan};
  }
  for (std::int64_t v = range.begin; v < range.end && std::isfinite(part.max); ++v) {
    const double depth = z[static_cast<std::size_t>(v)] - part.max;
    part.sum += std::exp(depth);
    part.weighted += times_log(std::exp(depth), depth);
  }
  return part;
}

inline RowPart joined(const RowPart& a, const RowPart& b) {
  RowPart all{.max = std::isnan(a.max) || a.max > b.max ? a.max : b.max,
              .target = a.target + b.target};
  for (const RowPart& part : {a, b}) {
    if (part.max > -std::numeric_limits<double>::infinity() || std::isnan(part.max)) {
      const double step = part.max - all.max;
      all.sum += part.sum * std::exp(step);
      all.weighted += (part.weighted + part.sum * step) * std::exp(step);
    }
  }
  return all;
}

inline double log_sum_exp_of(const RowPart& whole) {
  return std::isfinite(whole.max) ? whole.max + std::log(whole.sum)
                                  : std::numeric_limits<double>::quiet_NaN();
}

/// Of z (V) cut into parts.
inline double log_sum_exp_of(const std::vector<double>& z, SumParts parts) {
  return log_sum_exp_of(in_tree(
      0, part_count(parts),
      [&](std::int64_t p) {
        return row_part(z, part_of(parts, p, static_cast<std::int64_t>(z.size())));
      },
      joined));
}

}  // namespace precis::reference
