// The roles of PPO that one rank plays, made from the models that it holds.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "parallel/role_layout.hpp"
#include "rlhf/batch_layout.hpp"
#include "rlhf/learner.hpp"
#include "rlhf/reward.hpp"
#include "rlhf/rollout.hpp"
#include "train/shown_samples.hpp"

namespace precis {

/// The models that a rank's roles need; the others are absent.
struct RoleModels {
  std::optional<Model> policy;       ///< learner
  std::optional<Model> value;        ///< learner
  std::optional<Model> reward;       ///< reward
  std::optional<Model> reference;    ///< reward
  std::optional<Model> policy_copy;  ///< rollout, unless it reads the learner's
  /// Learner, unless it reads the reference: its output matrix.
  std::optional<Parameters> reference_head;

  /// The policy that a rollout rank samples from.
  [[nodiscard]] Model& sampled() { return policy_copy ? *policy_copy : *policy; }
  /// What has the reference's output matrix, of a learner.
  [[nodiscard]] const Parameters& with_reference_head() const {
    return reference_head ? *reference_head : reference->parameters;
  }
};

/// Whether the rollout reads the learner's own weights, and the learner the output matrix of the
/// reward role's reference: both roles are the same ranks in the same grid, so that each rank has
/// the same part of a model.
[[nodiscard]] bool rollout_reads_learner(const RoleLayout& layout);
[[nodiscard]] bool learner_reads_reference(const RoleLayout& layout);

/// The tensors of `RoleModels::reference_head`, for a language model: none but on the last stage of
/// the learner's models, where the logits are.
[[nodiscard]] std::vector<ParameterSpec> output_matrix_specs(const ModelConfig& config,
                                                             const ModelPlace& place = {});

/// The roles of one rank; null: played by others.
struct PpoRoles {
  std::unique_ptr<Rollout> rollout;
  std::unique_ptr<Reward> reward;
  std::unique_ptr<Learner> learner;
  std::unique_ptr<ShownSamples> shown;  ///< the rollout's first copy, with rank 0
};

/// How a batch's episodes are divided among the ranks of the roles.
[[nodiscard]] BatchLayout batch_layout(const RoleLayout& layout, const PpoOptions& options);

struct RoleSetup {
  Device& device;
  const RoleLayout& layout;
  int rank = 0;                      ///< in the world
  Communicator* learners = nullptr;  ///< data parallel; null: this rank is none of them
  RoleModels& models;
  const std::vector<Example>& prompts;
  const std::vector<Example>& shown;  ///< whose first prompts samples.jsonl shows
  const PpoOptions& options;
  const TrainOptions& train;
  std::uint64_t seed = 0;
  std::int64_t max_response_tokens = 0;
  const Replay* replay = nullptr;
  std::function<void()> between_decode_steps;
  std::function<void()> between_scored;  ///< micro-batches of the reward role
};
/// The roles take their activations from one arena, since a rank plays them one after another.
[[nodiscard]] PpoRoles make_roles(const RoleSetup& setup);

}  // namespace precis
