#include "rlhf/advantages.hpp"

#include <cassert>
#include <cmath>

#include "rlhf/mean_and_variance.hpp"

namespace precis {

Advantages generalized_advantages(std::span<const float> rewards, std::span<const float> values,
                                  std::span<const double> discounts, double lambda,
                                  double bootstrap) {
  assert(rewards.size() == values.size() && rewards.size() == discounts.size());
  Advantages out{std::vector<float>(rewards.size()), std::vector<float>(rewards.size())};
  double next_value = bootstrap;
  double advantage = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    const auto value = static_cast<double>(values[t]);
    const double delta = static_cast<double>(rewards[t]) + discounts[t] * next_value - value;
    advantage = delta + discounts[t] * lambda * advantage;
    out.advantages[t] = static_cast<float>(advantage);
    out.returns[t] = static_cast<float>(advantage + value);
    next_value = value;
  }
  return out;
}

void whiten(std::span<Experience> batch) {
  const MeanAndVariance advantages = mean_and_variance([&](auto&& visit) {
    for (const Experience& e : batch) {
      for (const float advantage : e.advantages) {
        visit(static_cast<double>(advantage));
      }
    }
  });
  const double scale = 1.0 / std::sqrt(advantages.variance + 1e-8);
  for (Experience& e : batch) {
    for (float& advantage : e.advantages) {
      advantage = static_cast<float>((static_cast<double>(advantage) - advantages.mean) * scale);
    }
  }
}

}  // namespace precis
