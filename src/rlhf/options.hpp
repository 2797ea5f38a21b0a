// The keys of `ppo` (CONTRACT section 2).
#pragma once

#include <cstdint>
#include <string>

#include "base/options.hpp"

namespace precis {

/// What happens to the score of an episode without an end token (RECIPE, "Models and stages").
enum class MissingEnd { replace, subtract, none };

/// Which estimate of the KL at a token enters the rewards (see rlhf/kl_estimate).
enum class KlEstimator { k1, k3, exact };

/// What is done about episodes that an older policy sampled (rlhf/correction), and for what their
/// weights are formed.
enum class Correction { none, truncate, mask };
enum class CorrectionLevel { token, sequence };

struct PpoOptions {
  std::int64_t batch = 512;
  std::int64_t epochs = 4;
  std::int64_t mini_batches = 1;
  double kl = 0.05;
  KlEstimator kl_estimator = KlEstimator::k1;
  double kl_target = 0;
  double kl_horizon = 10000;
  double clip = 0.2;
  double value_clip = 0.2;
  double value_coefficient = 0.1;
  double value_learning_rate = 0;  ///< set to train.learning_rate when it is not given
  std::int64_t value_warmup_steps = 0;
  double gamma = 1;
  double lambda = 0.95;
  double value_lambda = 0.95;  ///< set to ppo.lambda when it is not given
  bool whiten = true;
  double temperature = 1;
  MissingEnd missing_end = MissingEnd::replace;
  double missing_end_value = -1;
  double max_kl = 0;
  bool check_weights = true;
  std::int64_t staleness = 0;
  Correction correction = Correction::none;
  CorrectionLevel correction_level = CorrectionLevel::token;
  double correction_cap = 2;
  std::int64_t log_episodes = 0;
  std::string replay;

  std::int64_t max_sequences = 64;
  std::int64_t reward_group = 16;
  std::int64_t samples_every = 10;

  std::string placement = "colocated";
  std::string rollout_grid, reward_grid, learner_grid;
};
void add_ppo_options(OptionTable& table, PpoOptions& options);

}  // namespace precis
