#include "rlhf/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "device/counting_device.hpp"
#include "model/planned_grid.hpp"
#include "parallel/collectively.hpp"
#include "train/data_parts.hpp"
#include "train/memory_report.hpp"
#include "train/work_cost.hpp"

namespace precis {
namespace {

/// Null if the rank does not play the role.
std::unique_ptr<PlannedGrid> planned_role(const PpoPlan& plan, const RoleRanks& role, int rank,
                                          const std::string& cut) {
  const auto found = std::ranges::find(role.ranks, rank);
  return found == role.ranks.end()
             ? nullptr
             : std::make_unique<PlannedGrid>(static_cast<int>(found - role.ranks.begin()),
                                             role.grid, cut, plan.train.tensor_parts);
}

struct PlannedRoles {
  std::unique_ptr<PlannedGrid> rollout, reward, learner;
};

Model planned_model(const PpoPlan& plan, Device& device, ModelConfig config,
                    const ModelRanks& ranks) {
  config.end_tokens = {};  // Summaries are as long as they may be.
  return allocate_model(device, {config, plan.tokenizer}, ranks);
}

RoleModels planned_models(const PpoPlan& plan, Device& device, const PlannedRoles& roles) {
  RoleModels models;
  if (roles.rollout && !rollout_reads_learner(plan.layout)) {
    models.policy_copy = planned_model(plan, device, plan.policy, roles.rollout->models);
  }
  if (roles.learner) {
    models.policy = planned_model(plan, device, plan.policy, roles.learner->models);
    models.value = planned_model(plan, device, plan.value, roles.learner->models);
  }
  if (roles.reward) {
    models.reward = planned_model(plan, device, plan.reward, roles.reward->models);
    models.reference = planned_model(plan, device, plan.reference, roles.reward->models);
  }
  if (roles.learner && !learner_reads_reference(plan.layout)) {
    const ModelParallel parallel = roles.learner->models.of(plan.policy);
    models.reference_head.emplace(device, output_matrix_specs(plan.reference, parallel.place),
                                  MemoryUse::parameters, parallel);
  }
  return models;
}

/// One step of the roles that this rank plays.
void plan_step(const PpoPlan& plan, const PpoRoles& roles, const PlannedRoles& planned,
               std::int64_t step) {
  const BatchLayout batch = batch_layout(plan.layout, plan.options);
  const std::int64_t first = step * batch.batch;
  const std::vector<Episode> episodes = planned_episodes(plan, first, first + batch.batch);
  const auto part_of_batch = [&](std::int64_t begin, std::int64_t count) {
    return std::vector<Episode>(episodes.begin() + begin, episodes.begin() + begin + count);
  };
  if (roles.rollout) {
    roles.rollout->generate({first, first + batch.batch}, {.number = step}, [](Episode&&) {});
  }
  if (roles.reward) {
    for (std::int64_t group = 0; group < batch.groups(); ++group) {
      if (batch.reward_rank_of(group) == planned.reward->at.dp) {
        auto members = part_of_batch(group * batch.reward_group, batch.group_size(group));
        roles.reward->score(members);
      }
    }
  }
  if (roles.learner) {
    const auto [begin, end] = batch.learner_part(planned.learner->at.dp);
    (void)roles.learner->experience(scored(plan, part_of_batch(begin, end - begin)),
                                    plan.options.kl);
    std::vector<Experience> experience;
    for (const Episode& episode : episodes) {
      experience.push_back(planned_experience(episode));
    }
    (void)roles.learner->update(experience, step + 1, {});
  }
}

std::string role_of(const RoleLayout& layout, int rank) {
  if (layout.placement == Placement::colocated) {
    return "all roles";
  }
  return layout.rollout.contains(rank)  ? "rollout"
         : layout.reward.contains(rank) ? "reward"
                                        : "learner";
}

std::string describe_work(const PpoPlan& plan) {
  const PpoOptions& o = plan.options;
  std::string text =
      fmt::format("{}\n{}; {} of {}; {} of {}\n", describe(plan.layout),
                  counted(std::ssize(plan.prompts), "prompt"), counted(plan.train.steps, "step"),
                  counted(o.batch, "episode"), counted(o.epochs, "epoch"),
                  counted(o.mini_batches, "mini-batch", "es"));
  const DataParts parts = data_parts(plan.train.data_parts, 0, plan.layout.learner.grid.dp);
  text += fmt::format("parts       {} of each mini-batch, {} on a learner (exact.data_parts)\n",
                      parts.parts, parts.mine());
  const std::pair<const char*, const ModelConfig&> models[]{{"policy", plan.policy},
                                                            {"value", plan.value},
                                                            {"reward", plan.reward},
                                                            {"reference", plan.reference}};
  for (const auto& [role, config] : models) {
    text += fmt::format("{:<11} {} parameters, {} layers of width {}\n", role,
                        with_thousands(parameter_count(config)), config.layers, config.width);
  }
  return text;
}

}  // namespace

std::vector<Episode> planned_episodes(const PpoPlan& plan, std::int64_t first, std::int64_t last) {
  PromptOrder order(std::ssize(plan.prompts), plan.seed);
  std::vector<Episode> episodes;
  for (std::int64_t number = first; number < last; ++number) {
    Episode episode;
    if (plan.replay != nullptr) {
      episode = plan.replay->at(number);
    } else {
      episode.prompt = order.row_of(number);
      const auto query = plan.prompts[static_cast<std::size_t>(episode.prompt)].query();
      episode.query.assign(query.begin(), query.end());
      episode.response.resize(static_cast<std::size_t>(plan.max_response_tokens));
    }
    episode.number = number;
    const std::size_t tokens = episode.response.size();
    episode.rollout_logprobs.resize(tokens);
    episodes.push_back(std::move(episode));
  }
  return episodes;
}

std::vector<Episode> scored(const PpoPlan& plan, std::vector<Episode> episodes) {
  for (Episode& episode : episodes) {
    episode.reference_hidden.resize(episode.response.size() *
                                    static_cast<std::size_t>(plan.reference.width));
  }
  return episodes;
}

Experience planned_experience(const Episode& episode) {
  Experience experience;
  const std::size_t tokens = episode.response.size();
  for (auto* numbers :
       {&experience.policy_logprobs, &experience.logprobs, &experience.reference_logprobs,
        &experience.values, &experience.entropies, &experience.exact_kls, &experience.rewards,
        &experience.advantages, &experience.returns, &experience.corrected_advantages}) {
    numbers->resize(tokens);
  }
  experience.episode = episode;
  return experience;
}

MemoryCount planned_memory(const PpoPlan& plan, const Device& like, int rank) {
  // The batches of later steps are seldom larger.
  constexpr std::int64_t most_steps = 4;
  if (plan.replay != nullptr) {
    plan.replay->require_episodes(0, plan.train.steps * plan.options.batch);
  }
  Device device = counting_device(like);
  const PlannedRoles planned{
      .rollout = planned_role(plan, plan.layout.rollout, rank, ""),
      .reward = planned_role(plan, plan.layout.reward, rank, ""),
      .learner = planned_role(plan, plan.layout.learner, rank, plan.train.parallel.stages)};
  RoleModels models = planned_models(plan, device, planned);
  PpoOptions options = plan.options;
  if (plan.train.steps > options.value_warmup_steps) {
    options.value_warmup_steps = 0;  // The steps after the warm-up are those that hold most.
  }
  const PpoRoles roles =
      make_roles({.device = device,
                  .layout = plan.layout,
                  .rank = rank,
                  .learners = planned.learner ? &planned.learner->copies : nullptr,
                  .models = models,
                  .prompts = plan.prompts,
                  .shown = plan.shown,
                  .options = options,
                  .train = plan.train,
                  .seed = plan.seed,
                  .max_response_tokens = plan.max_response_tokens,
                  .replay = plan.replay,
                  .between_decode_steps = [] {},
                  .between_scored = [] {}});
  for (std::int64_t step = 0; step < std::min(plan.train.steps, most_steps); ++step) {
    plan_step(plan, roles, planned, step);
  }
  if (roles.shown) {
    (void)roles.shown->rows(models.sampled().parameters, 1, [] {});
  }
  return device.memory().peak();
}

std::string describe(const PpoPlan& plan, Machine& machine, MpiSession& mpi,
                     RoleProcesses& processes, const std::function<RoleModels()>& load, Log& log) {
  RankGroup& world = mpi.world();
  const MemoryCount mine =
      collectively(world, [&] { return planned_memory(plan, machine.device, mpi.rank()); });
  const MemoryReport memory = report_memory(
      mpi, machine.device.memory(), {.role = role_of(plan.layout, mpi.rank()), .peak = mine});
  std::string text = describe_work(plan) + memory.text;
  const auto hidden = static_cast<std::uint64_t>(
      batch_layout(plan.layout, plan.options).learner_part(0).second * plan.max_response_tokens *
      plan.reference.width * size_of(DType::f32));
  text += fmt::format(
      "            and up to {} of the reference's hidden states on the host of a learner rank\n",
      byte_size(hidden));
  if (!memory.shortage.empty()) {
    log.warning("{}", memory.shortage);
    return text + "time        not measured, since the memory would not suffice\n";
  }
  RoleModels models = collectively(world, load);
  const RoleSeconds seconds = measure_roles(plan, machine, world, processes, models);
  const bool colocated = plan.layout.placement == Placement::colocated;
  // On ranks of their own, scoring goes on beside generation, and with staleness so does learning.
  const double generated =
      colocated ? seconds.rollout + seconds.reward : std::max(seconds.rollout, seconds.reward);
  const double step = !colocated && plan.options.staleness > 0
                          ? std::max(generated, seconds.learner)
                          : generated + seconds.learner;
  return text +
         fmt::format(
             "time        about {} a step (rollout {}, reward {}, learner {}), {} in all,\n"
             "            by a few tokens, episodes and micro-batches measured here, if {};\n"
             "            samples, weight sync and checkpoints come on top\n",
             seconds_text(step), seconds_text(seconds.rollout), seconds_text(seconds.reward),
             seconds_text(seconds.learner),
             duration_text(step * static_cast<double>(plan.train.steps)),
             plan.replay != nullptr
                 ? "the replayed summaries are like those of the first step"
                 : fmt::format("every summary has {} tokens", plan.max_response_tokens));
}

}  // namespace precis
