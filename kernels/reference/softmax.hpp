// The softmax of one row, in f64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

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

inline double log_sum_exp_of(const std::vector<double>& z) {
  double max = -std::numeric_limits<double>::infinity();
  for (const double value : z) {
    max = std::max(max, value);
  }
  double sum = 0.0;
  for (const double value : z) {
    sum += std::exp(value - max);
  }
  return max + std::log(sum);
}

/// p * log_ratio, with 0 log 0 = 0.
inline double times_log(double p, double log_ratio) { return p == 0.0 ? 0.0 : p * log_ratio; }

}  // namespace precis::reference
