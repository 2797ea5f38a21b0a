// What the learner learns from: scored episodes with its own log-probs, values and advantages.
#pragma once

#include <span>
#include <vector>

#include "parallel/communicator.hpp"
#include "rlhf/episode.hpp"

namespace precis {

/// What the learner makes of a scored episode: experience. Vectors have one number per response
/// token.
struct Experience {
  Episode episode;
  std::vector<float> policy_logprobs;  ///< the learner's before its first update
  /// The old ones in the ratio: the learner's; with ppo.staleness and no ppo.correction those of
  /// the policy that sampled.
  std::vector<float> logprobs;
  std::vector<float> reference_logprobs;
  std::vector<float> values;
  std::vector<float> entropies;
  std::vector<float> exact_kls;
  float score = 0;  ///< after the missing-end rule
  std::vector<float> rewards;
  std::vector<float> advantages;            ///< after whitening
  std::vector<float> returns;               ///< of ppo.value_lambda, before whitening
  std::vector<float> corrected_advantages;  ///< by ppo.correction; empty without it
};

/// A message between ranks, and back. `unpack` throws Error if the bytes are not a whole one.
[[nodiscard]] Bytes pack(const Experience& experience);
void unpack(std::span<const std::byte>& bytes, Experience& experience);

/// Collective: every rank's part of a batch, on every rank, in the order of the ranks. The batch is
/// small beside the models, so that every rank can know all of it: means over the batch are then
/// the same to the bit on every layout, and mini-batches are divided evenly.
[[nodiscard]] std::vector<Experience> whole_batch(RankGroup& ranks,
                                                  std::span<const Experience> mine);

}  // namespace precis
