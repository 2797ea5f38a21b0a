#include "rlhf/roles.hpp"

#include <algorithm>

namespace precis {
namespace {

/// Summaries consist of tokens that the tokenizer has, as those of `sample` do.
std::int64_t sampled_vocabulary(const Model& policy) {
  if (policy.tokenizer.empty()) {
    return 0;
  }
  const auto tokenizer = Tokenizer::from_json(
      {reinterpret_cast<const char*>(policy.tokenizer.data()), policy.tokenizer.size()});
  return unpadded(policy.config, tokenizer.vocabulary());
}

}  // namespace

std::vector<ParameterSpec> output_matrix_specs(const ModelConfig& config, const ModelPlace& place) {
  if (!place.is_last_stage()) {
    return {};
  }
  const char* name = config.tied ? "embedding/token" : "head/weight";
  // The reference's stages need not be the learner's: of a whole model, this rank's share.
  ModelPlace share = place;
  share.stage = 0;
  share.stages = 1;
  std::vector<ParameterSpec> specs = parameter_specs(config, share);
  std::erase_if(specs, [&](const ParameterSpec& spec) { return spec.name != name; });
  return specs;
}

bool rollout_reads_learner(const RoleLayout& layout) {
  return layout.placement == Placement::colocated && layout.rollout.grid == layout.learner.grid;
}

bool learner_reads_reference(const RoleLayout& layout) {
  return layout.placement == Placement::colocated && layout.reward.grid == layout.learner.grid;
}

BatchLayout batch_layout(const RoleLayout& layout, const PpoOptions& options) {
  return {.batch = options.batch,
          .reward_group = options.reward_group,
          .reward_ranks = layout.reward.grid.dp,
          .learner_ranks = layout.learner.grid.dp};
}

PpoRoles make_roles(const RoleSetup& s) {
  PpoRoles roles;
  const auto arena = std::make_shared<Arena>(s.device);
  const auto& generating = s.layout.rollout.ranks;
  if (const auto me = std::ranges::find(generating, s.rank); me != generating.end()) {
    const Model& policy = s.models.sampled();
    const GridShape& grid = s.layout.rollout.grid;
    const int copy = coordinates_of(static_cast<int>(me - generating.begin()), grid).dp;
    GenerationRule rule;
    rule.sampling.seed = s.seed;
    rule.sampling.temperature = s.options.temperature;
    rule.sampling.sampled_vocabulary = sampled_vocabulary(policy);
    rule.max_new_tokens = s.max_response_tokens;
    rule.max_sequences = s.options.max_sequences;
    const auto generator =
        std::make_shared<Generator>(s.device, policy.config, policy.parameters, arena);
    roles.rollout =
        std::make_unique<Rollout>(Rollout::Setup{.generator = generator,
                                                 .policy = policy.parameters,
                                                 .prompts = s.prompts,
                                                 .seed = s.seed,
                                                 .copy = copy,
                                                 .copies = grid.dp,
                                                 .rule = rule,
                                                 .replay = s.replay,
                                                 .between_steps = s.between_decode_steps});
    // Rank 0, which writes the files, is of the first copy in either placement.
    if (copy == 0) {
      roles.shown =
          std::make_unique<ShownSamples>(generator, policy, s.shown, s.max_response_tokens);
    }
  }
  if (s.layout.reward.contains(s.rank)) {
    roles.reward =
        std::make_unique<Reward>(Reward::Setup{.device = s.device,
                                               .reward = *s.models.reward,
                                               .reference = *s.models.reference,
                                               .micro_batch_tokens = s.train.micro_batch_tokens,
                                               .between = s.between_scored,
                                               .arena = arena});
  }
  if (s.learners != nullptr) {
    roles.learner =
        std::make_unique<Learner>(Learner::Setup{.device = s.device,
                                                 .ranks = *s.learners,
                                                 .policy = *s.models.policy,
                                                 .value = *s.models.value,
                                                 .reference_head = s.models.with_reference_head(),
                                                 .options = s.options,
                                                 .train = s.train,
                                                 .seed = s.seed,
                                                 .arena = arena});
  }
  return roles;
}

}  // namespace precis
