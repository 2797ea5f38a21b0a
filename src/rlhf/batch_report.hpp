// What is reported of a batch of experience before its first update.
#pragma once

#include <span>

#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// Metrics of a batch before its first update, in the order of metrics.jsonl (RECIPE, small print).
struct BatchReport {
  double score_mean = 0, score_std = 0, rlhf_reward = 0;
  double kl_k1 = 0, kl_k3 = 0, kl_exact = 0, entropy = 0;
  double explained_variance = 0;
  double value_loss = 0;  ///< of the values before the first update, where nothing is clipped
  double response_tokens_mean = 0, ended_fraction = 0;
  double logprob_gap_mean = 0, logprob_gap_max = 0;
};
/// rlhf_reward is the mean score less `kl_coefficient` times the mean KL of a response, by the
/// estimator that the rewards have: k1 unless another one is chosen.
[[nodiscard]] BatchReport report_of(std::span<const Experience> batch, double kl_coefficient,
                                    KlEstimator estimator);

}  // namespace precis
