// Generalized advantage estimation, and the whitening of a batch's advantages.
#pragma once

#include <span>
#include <vector>

#include "rlhf/experience.hpp"

namespace precis {

struct Advantages {
  std::vector<float> advantages;  ///< A_t
  std::vector<float> returns;     ///< A_t + V_t
};

/// Schulman et al. 2016, equations 11 and 16: delta_t = r_t + d_t V_{t+1} - V_t, A_t = delta_t +
/// d_t lambda A_{t+1}, with V after the last step = `bootstrap`, A after it = 0, and a discount d_t
/// for each step. Computed in double. `rewards`, `values`, `discounts` and both results have one
/// length (T), which is asserted; nothing is thrown.
[[nodiscard]] Advantages generalized_advantages(std::span<const float> rewards,
                                                std::span<const float> values,
                                                std::span<const double> discounts, double lambda,
                                                double bootstrap);

/// (A - mean) / sqrt(variance + 1e-8), biased variance over all response tokens of the batch.
void whiten(std::span<Experience> batch);

}  // namespace precis
