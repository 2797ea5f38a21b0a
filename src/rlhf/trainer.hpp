// PPO over the three roles: rollout, reward and learner, on the same ranks or each on its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/mailbox.hpp"
#include "parallel/role_layout.hpp"
#include "rlhf/roles.hpp"
#include "rlhf/step_report.hpp"
#include "rlhf/weight_sync.hpp"
#include "train/machine.hpp"
#include "train/run.hpp"

namespace precis {

class PpoTrainer {
 public:
  struct Setup {
    Log& log;
    Machine& machine;
    RankGroup& world;
    TrainingRun& run;
    const RoleLayout& layout;
    RoleProcesses& processes;  ///< of this layout
    RoleModels& models;
    const ModelConfig& policy;
    const std::vector<Example>& prompts;
    const std::vector<Example>& shown;  ///< whose first prompts samples.jsonl shows
    const PpoOptions& options;
    const TrainOptions& train;
    std::int64_t max_response_tokens = 0;
    const Replay* replay = nullptr;
  };
  /// Collective over the world.
  explicit PpoTrainer(const Setup& setup);

  /// Trains to the last step, or until the run must stop early.
  [[nodiscard]] ExitStatus train();
  /// Loads the newest checkpoint and writes the same step again.
  void resave();
  /// Writes policy.h5 and value.h5.
  void save_final();

 private:
  void load();
  void rollout(std::int64_t step);
  void score();
  [[nodiscard]] std::vector<Experience> experience(StepReport& report);
  void learn(std::int64_t step, std::span<const Experience> batch, StepReport& report,
             std::vector<Row>& episodes);
  void share(StepReport& report, std::vector<Row>& episodes);
  void start_weight_sync();
  void finish_weight_sync(std::int64_t step);
  /// Compares the weights of version `number` on all ranks that have them.
  void check_weights(std::int64_t number);
  void require_version(const Episode& episode) const;
  void show_samples(std::int64_t step);
  void record(const StepReport& report, std::int64_t step, const std::vector<Row>& episodes);
  [[nodiscard]] std::string prompt_id_of(const Episode& episode) const;
  [[nodiscard]] std::vector<Episode> receive_group(
      std::map<std::int64_t, std::vector<Episode>>& open);
  [[nodiscard]] std::vector<Episode> receive_scored();
  [[nodiscard]] ProcessGrid& learner_grid() const { return *setup_.processes.learner; }
  [[nodiscard]] TrainingRun::Describe describe() const;
  [[nodiscard]] double kl_coefficient() const;
  /// Steps that have updated the policy before the rollout of this one.
  [[nodiscard]] std::int64_t weight_version(std::int64_t step) const;

  Setup setup_;
  ModelRanks learner_ranks_;
  BatchLayout batch_;
  Mailbox to_reward_, to_learner_;
  WeightSync weight_sync_;
  PpoRoles roles_;
  WeightVersion weights_;                  ///< that the rollout samples from
  std::int64_t next_warning_of_ends_ = 0;  // the step from which on one may come again
};

}  // namespace precis
