// Seconds of a step of PPO, from work of each role that is measured.
#include <algorithm>

#include "model/generator.hpp"
#include "rlhf/dealing.hpp"
#include "rlhf/plan.hpp"
#include "train/work_cost.hpp"

namespace precis {
namespace {

/// Mean lengths of a run's episodes.
struct MeanLengths {
  double prompt = 0;
  double response = 0;
  [[nodiscard]] double episode() const { return prompt + response; }
};

MeanLengths mean_lengths(const PpoPlan& plan) {
  MeanLengths mean;
  const auto episodes = planned_episodes(plan, 0, plan.options.batch);
  for (const Episode& episode : episodes) {
    mean.prompt += static_cast<double>(episode.query.size());
    mean.response += static_cast<double>(episode.response.size());
  }
  mean.prompt /= static_cast<double>(episodes.size());
  mean.response /= static_cast<double>(episodes.size());
  return mean;
}

std::int64_t tokens_of(const std::vector<Episode>& episodes, std::int64_t count) {
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens += episodes[static_cast<std::size_t>(i)].sequence().size();
  }
  return tokens;
}

/// The most episodes that a copy of the rollout is dealt of the first batch.
std::int64_t largest_part(const PpoPlan& plan) {
  std::vector<std::int64_t> costs;
  for (const Episode& episode : planned_episodes(plan, 0, plan.options.batch)) {
    costs.push_back(expected_cost(std::ssize(episode.query), plan.max_response_tokens));
  }
  std::int64_t most = 0;
  for (const auto& part : deal(costs, plan.layout.rollout.grid.dp)) {
    most = std::max(most, std::int64_t{std::ssize(part)});
  }
  return most;
}

/// Generation of this rank's part of a batch: taking in prompts, and decode steps with as many
/// sequences as are generated at a time, from short prompts.
double rollout_seconds(const PpoPlan& plan, Machine& machine, RankGroup& world, const Model* policy,
                       const MeanLengths& mean) {
  const std::int64_t part = largest_part(plan);
  const std::int64_t at_once = std::min(part, plan.options.max_sequences);
  const auto episodes = planned_episodes(plan, 0, at_once);
  std::optional<Generator> generator;
  if (policy != nullptr) {
    ModelConfig config = policy->config;
    config.end_tokens = {};
    generator.emplace(machine.device, config, policy->parameters);
  }
  const auto generate = [&](std::int64_t prompts, std::size_t longest, std::int64_t new_tokens) {
    std::vector<Prompt> work;
    for (std::int64_t i = 0; i < prompts; ++i) {
      const auto& query = episodes[static_cast<std::size_t>(i)].query;
      const std::size_t length = std::min(longest, query.size());
      work.push_back({{query.end() - static_cast<std::ptrdiff_t>(length), query.end()}, {i}});
    }
    GenerationRule rule;
    rule.sampling.temperature = plan.options.temperature;
    rule.max_new_tokens = new_tokens;
    rule.max_sequences = at_once;
    generator->run(
        policy->parameters, work, rule, [](Generated&&) {},
        [&] { world.progress().tick("rollout"); });
  };
  MeasuredWork prompts{.run = {},
                       .tokens =
                           [&](std::int64_t count) {
                             std::int64_t tokens = 0;
                             for (std::int64_t i = 0; i < count; ++i) {
                               tokens += std::ssize(episodes[static_cast<std::size_t>(i)].query);
                             }
                             return tokens;
                           },
                       .most = at_once};
  constexpr std::size_t short_prompt = 8;
  constexpr std::int64_t most_steps = 16;
  MeasuredWork decoding{.run = {},
                        .tokens = [](std::int64_t steps) { return steps; },
                        .most = std::min(most_steps, plan.max_response_tokens)};
  if (generator) {
    prompts.run = [&](std::int64_t count) {
      generate(count, static_cast<std::size_t>(policy->config.context), 1);
    };
    decoding.run = [&](std::int64_t steps) { generate(at_once, short_prompt, 1 + steps); };
  }
  const WorkCost of_prompts = measure_cost(world, machine.device, prompts);
  const WorkCost of_steps = measure_cost(world, machine.device, decoding);
  const std::int64_t rounds = (part + at_once - 1) / at_once;
  return of_prompts.of(static_cast<double>(part) * mean.prompt) +
         of_steps.a_token * static_cast<double>(rounds) * mean.response;
}

}  // namespace

RoleSeconds measure_roles(const PpoPlan& plan, Machine& machine, RankGroup& world,
                          RoleProcesses& processes, RoleModels& models) {
  const MeanLengths mean = mean_lengths(plan);
  PpoOptions once = plan.options;
  once.epochs = 1;
  once.mini_batches = 1;
  once.value_warmup_steps = 0;
  const PpoRoles roles =
      make_roles({.device = machine.device,
                  .layout = plan.layout,
                  .rank = world.rank(),
                  .learners = processes.learner ? &processes.learner->dp() : nullptr,
                  .models = models,
                  .prompts = plan.prompts,
                  .shown = plan.shown,
                  .options = once,
                  .train = plan.train,
                  .seed = plan.seed,
                  .max_response_tokens = plan.max_response_tokens,
                  .replay = plan.replay,
                  .between_decode_steps = [] {},
                  .between_scored = [] {}});
  RoleSeconds mine;
  if (plan.replay == nullptr) {
    mine.rollout =
        rollout_seconds(plan, machine, world, roles.rollout ? &models.sampled() : nullptr, mean);
  }
  const BatchLayout batch = batch_layout(plan.layout, plan.options);

  const std::int64_t group = batch.group_size(0);
  const auto to_score = planned_episodes(plan, 0, group);
  MeasuredWork scoring{.run = {},
                       .tokens = [&](std::int64_t count) { return tokens_of(to_score, count); },
                       .most = group};
  if (roles.reward) {
    scoring.run = [&](std::int64_t count) {
      std::vector<Episode> episodes(to_score.begin(), to_score.begin() + count);
      roles.reward->score(episodes);
    };
  }
  const WorkCost of_scoring = measure_cost(world, machine.device, scoring);
  mine.reward = static_cast<double>(batch.groups_of(0)) *
                of_scoring.of(static_cast<double>(group) * mean.episode());

  // As many episodes of a rank as fill a micro-batch.
  const std::int64_t part = batch.learner_part(0).second;
  const auto fill = static_cast<std::int64_t>(static_cast<double>(plan.train.micro_batch_tokens) /
                                              mean.episode());
  const std::int64_t most = std::clamp<std::int64_t>(fill, 1, part);
  const auto to_learn = planned_episodes(plan, 0, most);
  const auto tokens = [&](std::int64_t count) { return tokens_of(to_learn, count); };
  MeasuredWork assessing{.run = {}, .tokens = tokens, .most = most};
  MeasuredWork updating{.run = {}, .tokens = tokens, .most = most};
  if (roles.learner) {
    assessing.run = [&](std::int64_t count) {
      (void)roles.learner->experience(scored(plan, {to_learn.begin(), to_learn.begin() + count}),
                                      plan.options.kl);
    };
    updating.run = [&](std::int64_t count) {
      std::vector<Experience> experience;
      for (int rank = 0; rank < batch.learner_ranks; ++rank) {
        for (std::int64_t i = 0; i < count; ++i) {
          experience.push_back(planned_experience(to_learn[static_cast<std::size_t>(i)]));
        }
      }
      (void)roles.learner->update(experience, 1, {});
    };
  }
  const WorkCost of_experience = measure_cost(world, machine.device, assessing);
  const WorkCost of_update = measure_cost(world, machine.device, updating);
  const double in_part = static_cast<double>(part) * mean.episode();
  mine.learner = of_experience.of(in_part) +
                 static_cast<double>(plan.options.epochs) *
                     (static_cast<double>(plan.options.mini_batches) * of_update.fixed +
                      of_update.a_token * in_part);

  return {.rollout = all_max(world, mine.rollout),
          .reward = all_max(world, mine.reward),
          .learner = all_max(world, mine.learner)};
}

}  // namespace precis
