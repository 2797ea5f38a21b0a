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
#include "rlhf/role_times.hpp"
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
  /// Before the first step of a launch: loads what a checkpoint has; with ppo.staleness also makes
  /// the batch that was under way again, from the weights that it was begun with.
  void begin();
  /// A step's batch, by the ranks that generate and score.
  void generate(std::int64_t step);
  void rollout(std::int64_t step);
  void score(std::int64_t step);
  [[nodiscard]] std::vector<Experience> experience(std::int64_t step, StepReport& report);
  /// Whether the learner may learn from the batch; where not, the guard says why to all ranks.
  [[nodiscard]] bool is_sound(std::int64_t step, const StepReport& report) const;
  void learn(std::int64_t step, std::span<const Experience> batch, StepReport& report,
             std::vector<Row>& episodes);
  void share(StepReport& report, std::vector<Row>& episodes);
  void start_weight_sync();
  void finish_weight_sync(std::int64_t next);
  /// Nothing is left of a batch that no step will learn from, and all messages have arrived.
  void end(std::int64_t last_step);
  /// Compares the weights of version `number` on all ranks that have them.
  void check_weights(std::int64_t number);
  void require_version(const Episode& episode) const;
  void show_samples(std::int64_t step);
  void record(const StepReport& report, std::int64_t step, const std::vector<Row>& episodes);
  [[nodiscard]] std::string prompt_id_of(const Episode& episode) const;
  [[nodiscard]] std::int64_t step_of(const Episode& episode) const {
    return episode.number / batch_.batch + 1;
  }
  [[nodiscard]] std::vector<Episode> receive_group(std::int64_t step);
  /// Waits for an episode of any step that a learner's leader has to come.
  void receive_one_scored();
  /// Some of this copy's episodes of a step: `most` at most, and a group of them if there are.
  [[nodiscard]] std::vector<Episode> receive_scored(std::int64_t step, std::int64_t most);
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
  RoleTimes role_times_;
  PpoRoles roles_;
  WeightVersion weights_;                               // that the rollout samples from
  std::map<std::int64_t, WeightVersion> sampled_from_;  // by step, of batches under way
  // Of a step and group, until all have come; of steps, until they are learned from.
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Episode>> open_groups_;
  std::map<std::int64_t, std::vector<Episode>> scored_;
  std::int64_t next_warning_of_ends_ = 0;  // the step from which on one may come again
};

}  // namespace precis
