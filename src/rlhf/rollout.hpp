// The rollout role: a copy of the policy that writes summaries, or reads them from an earlier run.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "data/tldr.hpp"
#include "model/generator.hpp"
#include "rlhf/episode.hpp"
#include "rlhf/prompts.hpp"
#include "rlhf/replay.hpp"

namespace precis {

class Rollout {
 public:
  struct Setup {
    std::shared_ptr<Generator> generator;
    const Parameters& policy;  ///< this rank's copy; new weights arrive in it
    const std::vector<Example>& prompts;
    std::uint64_t seed = 0;
    int copy = 0;  ///< of the rollout's copies of the policy
    int copies = 1;
    GenerationRule rule;
    const Replay* replay = nullptr;  ///< null: sample
    std::function<void()> between_steps;
  };
  explicit Rollout(const Setup& setup);

  /// Of the episodes `numbers` = [first, last) of a batch generates those that are dealt to this
  /// copy (rlhf/dealing), and hands out each as soon as it is finished: query, response (T),
  /// `rollout_logprobs` (T) at the rule's temperature, without the reward role's numbers. Throws
  /// Error for a prompt that does not fit the context together with the rule's max_new_tokens. A
  /// replay must have the episodes (Replay::require_episodes).
  void generate(std::pair<std::int64_t, std::int64_t> numbers, const WeightVersion& weights,
                const std::function<void(Episode&&)>& finished);
  /// Generator::lost_share of the last call.
  [[nodiscard]] double lost_share() const { return setup_.generator->lost_share(); }

 private:
  [[nodiscard]] std::vector<std::int64_t> mine_of(std::int64_t first, std::int64_t last);

  Setup setup_;
  PromptOrder order_;
};

}  // namespace precis
