// Stale episodes weighed by how much more likely the policy makes them than the one that sampled.
#pragma once

#include <vector>

#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// Of the weights of a batch, of tokens or of sequences, before they are clamped.
struct CorrectionReport {
  bool used = false;
  double mean = 0;
  double max = 0;
  double clamped_fraction = 0;  ///< that were truncated or masked
};

/// With w = exp(policy's log-prob - behaviour's) of a token, or the product of a response's: fills
/// `corrected_advantages` with advantage * min(w, cap) (truncate: Espeholt et al. 2018, V-trace's
/// rho), or advantage * w where 1/cap <= w <= cap and 0 elsewhere (mask). Together with a ratio to
/// the policy's own log-probs this is the decoupled objective of Hilton et al. 2022. Does nothing
/// without ppo.correction.
CorrectionReport correct(std::vector<Experience>& batch, const PpoOptions& options);

}  // namespace precis
