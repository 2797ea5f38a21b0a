// The learner role: policy and value network with their optimizers; one PPO update a batch.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/evaluator.hpp"
#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"
#include "rlhf/ppo_objectives.hpp"
#include "rlhf/update_counts.hpp"
#include "train/data_parts.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"

namespace precis {

/// What the updates of one batch report: plain means over those that were computed (ratio_max: the
/// largest). In a step that updates the value network only, the policy's are those of a policy that
/// stays as it is: no loss, change, clipping or gradient, and a ratio of 1.
struct UpdateReport {
  double policy_loss = 0, value_loss = 0;
  double update_kl = 0;
  double clip_fraction_policy = 0, clip_fraction_value = 0;
  double ratio_mean = 0, ratio_max = 0;
  double gradient_norm_policy = 0, gradient_norm_value = 0;
  std::int64_t applied = 0;  ///< updates that changed parameters
};

/// The mini-batch of each episode of a batch in one epoch: equal parts of a permutation by (seed,
/// step, epoch), numbered from 0; entry i is the mini-batch of the batch's episode i. `step` counts
/// from 1.
[[nodiscard]] std::vector<std::int64_t> mini_batches_of(std::int64_t batch,
                                                        std::int64_t mini_batches,
                                                        std::uint64_t seed, std::int64_t step,
                                                        std::int64_t epoch);

/// The part of a checkpoint with the weights that the batch under way is sampled from.
inline constexpr const char* behaviour_part = "behaviour";

class Learner {
 public:
  struct Setup {
    Device& device;
    Communicator& ranks;  ///< the learner's, data parallel
    Model& policy;
    Model& value;
    const Parameters& reference_head;  ///< has the reference's output matrix
    const PpoOptions& options;
    const TrainOptions& train;
    std::uint64_t seed = 0;
    std::shared_ptr<Arena> arena = nullptr;  ///< null: one for each model
  };
  explicit Learner(const Setup& setup);

  /// Makes experience of the scored episodes of this rank's part, with advantages not yet whitened.
  [[nodiscard]] std::vector<Experience> experience(std::vector<Episode> mine,
                                                   double kl_coefficient);

  /// Collective, also over the stages of the models: ppo.epochs passes over the batch. `rates` are
  /// the policy's and the value network's. In the first ppo.value_warmup_steps steps, policy and
  /// moments of the policy keep their bits. Stops before an update whose losses or norms are not
  /// finite, which the report then shows.
  struct Rates {
    double policy = 0;
    double value = 0;
  };
  [[nodiscard]] UpdateReport update(std::span<const Experience> batch, std::int64_t step,
                                    Rates rates);

  /// Collective over the learner's grid: the parts of a checkpoint, with their moments. `file` on
  /// its rank 0, which writes; null on the others.
  void write(StateWriter* file, ProcessGrid& grid, const ModelRanks& ranks) const;
  void read(const StateReader& file, const UpdateCounts& updates);
  [[nodiscard]] UpdateCounts updates() const noexcept {
    return {.policy = policy_optimizer_.updates(), .value = value_optimizer_.updates()};
  }

 private:
  /// Before a step changes the policy.
  void keep_behaviour();
  /// A mini-batch on this rank: its episodes, and which networks learn from it.
  struct MiniBatch {
    Members members;
    bool policy_learns = true;
  };
  /// Adds to the sums of `report`; false if there was no update, since a number is not finite.
  bool update_mini_batch(const MiniBatch& mini_batch, Rates rates, UpdateReport& report);
  [[nodiscard]] Optimizer::Setup optimizer_setup() const;

  Setup setup_;
  PolicyObjective policy_objective_;
  ValueObjective value_objective_;
  Pipeline policy_pipeline_, value_pipeline_;
  LanguageHead reference_head_;
  Evaluator policy_evaluator_, value_evaluator_;
  DataParts parts_;
  Optimizer policy_optimizer_, value_optimizer_;
  /// With ppo.staleness: the policy before the last update, from which the batch that is under way
  /// then was sampled.
  std::optional<Parameters> behaviour_;
};

}  // namespace precis
