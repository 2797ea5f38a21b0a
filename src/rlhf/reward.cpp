#include "rlhf/reward.hpp"

namespace precis {

Reward::Reward(const Setup& s)
    : setup_(s),
      reward_(s.device, s.reward.config, s.reward.parameters, s.micro_batch_tokens, s.between,
              s.arena),
      reference_(s.device, s.reference.config, s.reference.parameters, s.micro_batch_tokens,
                 s.between, s.arena) {}

void Reward::score(std::span<Episode> episodes) {
  std::vector<Sequence> sequences;
  for (const Episode& episode : episodes) {
    sequences.push_back(episode.sequence());
  }
  const std::vector<float> rewards = reward_.rewards(setup_.reward.parameters, sequences);
  auto hidden = reference_.hidden_states(setup_.reference.parameters, sequences);
  for (std::size_t i = 0; i < episodes.size(); ++i) {
    episodes[i].score_raw = rewards[i];
    episodes[i].reference_hidden = std::move(hidden[i]);
  }
}

}  // namespace precis
