// From scores to what PPO maximises: the missing-end rule, rewards a token, advantages, the
// adaptive KL coefficient.
#pragma once

#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// The score of an episode after the missing-end rule.
[[nodiscard]] float score_of(const Episode& episode, const PpoOptions& options);

/// Fills score, rewards, advantages (not yet whitened) and returns; the log-probs, exact KLs,
/// values and the episode must be there. rewards[t] = -kl * (the estimate of ppo.kl_estimator at
/// t), plus the score at the last token. Advantages are of ppo.lambda, returns of ppo.value_lambda.
void assign_rewards(Experience& experience, const PpoOptions& options, double kl_coefficient);

/// Adaptive KL (Ziegler et al. 2019, section 2.2): the coefficient of the next step.
[[nodiscard]] double next_kl_coefficient(double coefficient, double kl, const PpoOptions& options);

}  // namespace precis
