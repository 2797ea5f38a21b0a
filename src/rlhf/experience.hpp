// From scored episodes to experience: scores, per-token rewards, advantages, and what is reported
// of them.
#pragma once

#include <span>
#include <vector>

#include "io/metrics.hpp"
#include "rlhf/episode.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// The score of an episode after the missing-end rule.
[[nodiscard]] float score_of(const Episode& episode, const PpoOptions& options);

/// Fills score, rewards, advantages (not yet whitened) and returns; logprobs, values and the
/// episode must be there. rewards[t] = -kl * (logprobs[t] - reference_logprobs[t]), plus the score
/// at the last token.
void assign_rewards(Experience& experience, const PpoOptions& options, double kl_coefficient);

/// Collective: every rank's part of a batch, on every rank, in the order of the ranks. The batch is
/// small beside the models, so that every rank can know all of it: means over the batch are then
/// the same to the bit on every layout, and mini-batches are divided evenly.
[[nodiscard]] std::vector<Experience> whole_batch(RankGroup& ranks,
                                                  std::span<const Experience> mine);

/// (A - mean) / sqrt(variance + 1e-8), biased variance over all response tokens of the batch.
void whiten(std::span<Experience> batch);

/// Adaptive KL (Ziegler et al. 2019, section 2.2): the coefficient of the next step.
[[nodiscard]] double next_kl_coefficient(double coefficient, double kl, const PpoOptions& options);

/// Metrics of a batch before its first update, in the order of metrics.jsonl (RECIPE, small print).
struct BatchReport {
  double score_mean = 0, score_std = 0, rlhf_reward = 0;
  double kl_k1 = 0, kl_k3 = 0, kl_exact = 0, entropy = 0;
  double explained_variance = 0;
  double value_loss = 0;  ///< of the values before the first update, where nothing is clipped
  double response_tokens_mean = 0, ended_fraction = 0;
  double logprob_gap_mean = 0, logprob_gap_max = 0;
};
[[nodiscard]] BatchReport report_of(std::span<const Experience> batch, double kl_coefficient);

/// A row of episodes.jsonl (CONTRACT section 4). `minibatch`: the mini-batch of each epoch it fell
/// in.
[[nodiscard]] Row episode_row(const Experience& experience, std::int64_t step,
                              const std::string& prompt_id, double kl_coefficient,
                              const std::vector<std::int64_t>& minibatch);

}  // namespace precis
