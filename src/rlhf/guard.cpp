#include "rlhf/guard.hpp"

#include "base/error.hpp"
#include "train/guard.hpp"

namespace precis {

void guard_batch(const BatchReport& batch, std::int64_t step, const PpoOptions& options,
                 nlohmann::ordered_json& extra) {
  require(
      options.max_kl == 0 || !(batch.kl_k1 > options.max_kl),
      "Step {}: the policy is {:.4g} nats per summary from the reference; ppo.max_kl allows "
      "{:.4g}. A larger ppo.kl, or a lower train.learning_rate, in another run folder keeps the "
      "policy closer.",
      step, batch.kl_k1, options.max_kl);
  guard_finite(step, "score_mean", batch.score_mean);
  guard_finite(step, "kl_k1", batch.kl_k1);
  guard_loss(step, "the value loss", batch.value_loss, extra);
}

void guard_update(const UpdateReport& update, std::int64_t step, nlohmann::ordered_json& extra) {
  guard_finite(step, "policy_loss", update.policy_loss);
  guard_finite(step, "gradient_norm_policy", update.gradient_norm_policy);
  guard_finite(step, "gradient_norm_value", update.gradient_norm_value);
  guard_loss(step, "the value loss", update.value_loss, extra);
}

}  // namespace precis
