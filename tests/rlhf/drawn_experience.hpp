// Experience of a given text with random numbers, to learn from.
#pragma once

#include "base/random.hpp"
#include "model/golden.hpp"
#include "rlhf/experience.hpp"

namespace precis {

/// What PPO's losses read, a function of `number`: log-probs near those of a model of about 60
/// tokens that knows nothing.
inline Experience drawn_experience(const Text& text, std::size_t number) {
  RandomStream draws(8, Purpose::testing, number);
  const auto draw = [&](double low, double high) {
    std::vector<float> out(text.response.size());
    for (float& value : out) {
      value = static_cast<float>(low + (high - low) * draws.uniform());
    }
    return out;
  };
  Experience experience;
  experience.episode.query = text.prompt;
  experience.episode.response = text.response;
  experience.logprobs = draw(-4.3, -3.9);
  experience.values = draw(-1, 1);
  experience.advantages = draw(-1, 1);
  experience.returns = draw(-1, 1);
  return experience;
}

}  // namespace precis
