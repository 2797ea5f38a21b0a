// A small model with random weights, and ragged texts for it.
#pragma once

#include <vector>

#include "base/random.hpp"
#include "model/golden.hpp"

namespace precis {

/// Two layers, 3 heads of 8; `change` may alter it before it is completed.
template <class Change>
[[nodiscard]] ModelConfig tiny_config(Change&& change) {
  ModelConfig config;
  config.width = 24;
  config.heads = 3;
  config.context = 160;
  config.vocabulary = 61;
  config.end_tokens = {60};
  config.init = Initialization::scaled;
  change(config);
  complete(config);
  return config;
}
[[nodiscard]] inline ModelConfig tiny_config() {
  return tiny_config([](ModelConfig&) {});
}

/// GPT-2 124M.
[[nodiscard]] inline ModelConfig gpt2_config() {
  ModelConfig config;
  config.layers = 12;
  config.width = 768;
  config.heads = 12;
  config.vocabulary = 50257;
  complete(config);
  return config;
}

/// Texts of lengths within and beyond attention's blocks.
[[nodiscard]] inline std::vector<Text> ragged_texts(std::size_t count, std::uint32_t vocabulary) {
  std::vector<Text> texts;
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream draws(7, Purpose::testing, i);
    Text text;
    text.prompt.resize(i % 3 == 0 ? 1 + draws.below(4) : 1 + draws.below(70));
    text.response.resize(1 + draws.below(i % 4 == 0 ? 60 : 9));
    for (auto* ids : {&text.prompt, &text.response}) {
      for (std::int32_t& id : *ids) {
        id = static_cast<std::int32_t>(draws.below(vocabulary));
      }
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

[[nodiscard]] inline std::vector<Sequence> sequences_of(const std::vector<Text>& texts) {
  std::vector<Sequence> sequences;
  for (const Text& text : texts) {
    sequences.push_back(text.sequence());
  }
  return sequences;
}

}  // namespace precis
