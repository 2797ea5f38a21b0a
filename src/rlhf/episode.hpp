// One prompt and its response on their way from role to role.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/evaluator.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// What the rollout knows of an episode; what the reward role adds to it.
struct Episode {
  std::int64_t number = 0;  ///< (step - 1) * batch + index
  std::int64_t prompt = 0;  ///< row among the prompts
  std::vector<std::int32_t> query;
  std::vector<std::int32_t> response;  ///< the end token included, if it came
  bool ended = false;
  std::vector<float> rollout_logprobs;  ///< a response token, as the rollout recorded it
  std::int64_t weight_version = 0;

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
  field(e.weight_version);
  field(e.score_raw);
  field(e.reference_hidden);
}

/// A message between ranks, and back. `unpack` throws Error if the bytes are not a whole one.
[[nodiscard]] Bytes pack(const Episode& episode);
void unpack(std::span<const std::byte>& bytes, Episode& episode);

}  // namespace precis
