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

  float score_raw = 0;                    ///< the reward model's, shift included
  std::vector<float> reference_logprobs;  ///< a response token
  std::vector<float> reference_hidden;  ///< (response tokens, C) of the reference, for the exact KL

  [[nodiscard]] Sequence sequence() const { return {query, response}; }
};

/// What the learner makes of a scored episode: experience. Vectors have one number a response
/// token.
struct Experience {
  Episode episode;
  std::vector<float>
      logprobs;  ///< the learner's before its first update: the old ones in the ratio
  std::vector<float> values;
  std::vector<float> entropies;
  std::vector<float> exact_kls;
  float score = 0;  ///< after the missing-end rule
  std::vector<float> rewards;
  std::vector<float> advantages;  ///< after whitening
  std::vector<float> returns;     ///< before whitening
};

/// A message between ranks, and back. `unpack` throws Error if the bytes are not a whole one.
[[nodiscard]] Bytes pack(const Episode& episode);
[[nodiscard]] Bytes pack(const Experience& experience);
void unpack(std::span<const std::byte>& bytes, Episode& episode);
void unpack(std::span<const std::byte>& bytes, Experience& experience);

}  // namespace precis
