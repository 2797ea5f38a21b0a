// The reward role: the reward model and the frozen reference policy score finished episodes.
#pragma once

#include <functional>
#include <memory>
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
    std::function<void()> between;
    std::shared_ptr<Arena> arena = nullptr;  ///< null: one for each model
  };
  explicit Reward(const Setup& setup);

  /// Adds to each episode of T response tokens: `score_raw`, the reward of the whole sequence with
  /// the model's shift; `reference_hidden` (T, C), the states of the reference, C wide, that
  /// predict the response tokens, from which the learner has the reference's distributions.
  void score(std::span<Episode> episodes);

 private:
  Setup setup_;
  Evaluator reward_;
  Evaluator reference_;
};

}  // namespace precis
