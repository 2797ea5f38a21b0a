#include "rlhf/rewards.hpp"

#include <algorithm>
#include <vector>

#include "rlhf/advantages.hpp"
#include "rlhf/kl_estimate.hpp"

namespace precis {

float score_of(const Episode& episode, const PpoOptions& options) {
  if (episode.ended || options.missing_end == MissingEnd::none) {
    return episode.score_raw;
  }
  const auto value = static_cast<float>(options.missing_end_value);
  return options.missing_end == MissingEnd::replace ? value : episode.score_raw + value;
}

void assign_rewards(Experience& e, const PpoOptions& options, double kl_coefficient) {
  const std::size_t length = e.episode.response.size();
  e.score = score_of(e.episode, options);
  e.rewards.resize(length);
  for (std::size_t t = 0; t < length; ++t) {
    const double kl = kl_estimate(e, t, options.kl_estimator);
    const double score = t + 1 == length ? static_cast<double>(e.score) : 0.0;
    e.rewards[t] = static_cast<float>(-kl_coefficient * kl + score);
  }
  const std::vector<double> discounts(length, options.gamma);
  const auto of_lambda = [&](double lambda) {
    return generalized_advantages(e.rewards, e.values, discounts, lambda, 0.0);
  };
  e.advantages = of_lambda(options.lambda).advantages;
  e.returns = of_lambda(options.value_lambda).returns;
}

double next_kl_coefficient(double coefficient, double kl, const PpoOptions& options) {
  if (options.kl_target <= 0) {
    return coefficient;
  }
  const double error = std::clamp(kl / options.kl_target - 1.0, -0.2, 0.2);
  return coefficient * (1.0 + error * static_cast<double>(options.batch) / options.kl_horizon);
}

}  // namespace precis
