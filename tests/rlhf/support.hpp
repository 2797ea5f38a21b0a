// What tests of the PPO roles share.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "rlhf/experience.hpp"

namespace precis::test {

inline std::filesystem::path source_folder() { return PRECIS_SOURCE_DIR; }

inline nlohmann::json read_json(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return nlohmann::json::parse(stream);
}

/// An experience of so many tokens whose numbers all differ.
inline Experience some_experience(std::int64_t number, std::size_t tokens) {
  const auto list = [&](float first) {
    std::vector<float> values(tokens);
    for (std::size_t t = 0; t < tokens; ++t) {
      values[t] = first + 0.25F * static_cast<float>(t) + 0.5F * static_cast<float>(number);
    }
    return values;
  };
  Experience e;
  e.episode.number = number;
  e.episode.prompt = 3 * number;
  e.episode.query = {1, 2, static_cast<std::int32_t>(number)};
  e.episode.response.assign(tokens, 7);
  e.episode.ended = number % 2 == 0;
  e.episode.rollout_logprobs = list(-1.0F);
  e.episode.weights = {.number = 40 + number, .digest = 7};
  e.episode.score_raw = 0.75F + static_cast<float>(number);
  e.reference_logprobs = list(-2.0F);
  e.episode.reference_hidden = list(9.0F);
  e.logprobs = list(-1.5F);
  e.policy_logprobs = e.logprobs;
  e.values = list(0.5F);
  e.entropies = list(3.0F);
  e.exact_kls = list(0.125F);
  e.score = 1.5F;
  e.rewards = list(0.0F);
  e.advantages = list(-4.0F);
  e.returns = list(2.0F);
  return e;
}

}  // namespace precis::test
