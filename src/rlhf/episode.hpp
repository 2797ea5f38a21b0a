// One prompt and its response on their way from role to role.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/evaluator.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// The policy's weights at some time.
struct WeightVersion {
  std::int64_t number = 0;   ///< updates that the rollout has had
  std::uint64_t digest = 0;  ///< of all weights (model/weight_digest); 0 without ppo.check_weights
  friend bool operator==(const WeightVersion&, const WeightVersion&) = default;
};

/// What the rollout knows of an episode; what the reward role adds to it.
struct Episode {
  std::int64_t number = 0;  ///< (step - 1) * batch + index
  std::int64_t prompt = 0;  ///< row among the prompts
  std::vector<std::int32_t> query;
  std::vector<std::int32_t> response;  ///< the end token included, if it came
  bool ended = false;
  std::vector<float> rollout_logprobs;  ///< a response token, as the rollout recorded it
  WeightVersion weights;                ///< that it was sampled from

  float score_raw = 0;                  ///< the reward model's, shift included
  std::vector<float> reference_hidden;  ///< (response tokens, C) of the reference

  [[nodiscard]] Sequence sequence() const { return {query, response}; }
};

/// One list of the message's fields serves writing and reading.
template <class AnEpisode, class Visitor>
void visit_episode(AnEpisode& e, Visitor& field) {
  field(e.number);
  field(e.prompt);
  field(e.query);
  field(e.response);
  field(e.ended);
  field(e.rollout_logprobs);
  field(e.weights);
  field(e.score_raw);
  field(e.reference_hidden);
}

/// A message between ranks, and back. `unpack` throws Error if the bytes are not a whole one.
[[nodiscard]] Bytes pack(const Episode& episode);
void unpack(std::span<const std::byte>& bytes, Episode& episode);

}  // namespace precis
