// The reward role: the reward model and the frozen reference policy score finished episodes.
#pragma once

#include <functional>
#include <span>

#include "model/evaluator.hpp"
#include "rlhf/episode.hpp"

namespace precis {

class Reward {
 public:
  struct Setup {
    Device& device;
    const Model& reward;
    const Model& reference;
    std::int64_t micro_batch_tokens = 0;
    double temperature = 1;
    std::function<void()> between;
  };
  explicit Reward(const Setup& setup);

  /// Adds score_raw, reference_logprobs and reference_hidden to each episode.
  void score(std::span<Episode> episodes);

 private:
  Setup setup_;
  Evaluator reward_;
  Evaluator reference_;
};

}  // namespace precis
