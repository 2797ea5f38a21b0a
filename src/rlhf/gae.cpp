#include "rlhf/gae.hpp"

#include <cassert>

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

}  // namespace precis
