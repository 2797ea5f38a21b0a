#include "rlhf/trainer.hpp"

#include <algorithm>
#include <map>

#include "parallel/collectively.hpp"
#include "rlhf/advantages.hpp"
#include "rlhf/correction.hpp"
#include "rlhf/episode_rows.hpp"
#include "rlhf/guard.hpp"
#include "rlhf/rewards.hpp"
#include "train/learning_rate.hpp"

namespace precis {
namespace {

constexpr int episode_tag = 1;
constexpr int scored_tag = 2;

Episode episode_of(const Message& message) {
  Episode episode;
  std::span<const std::byte> bytes(message.bytes);
  unpack(bytes, episode);
  return episode;
}

/// The leader's episodes on every rank that holds the same copy of the models.
std::vector<Episode> from_leader(ProcessGrid& grid, std::vector<Episode> episodes) {
  if (grid.replica().size() == 1) {
    return episodes;
  }
  Bytes mine;
  for (const Episode& episode : episodes) {
    const Bytes bytes = pack(episode);
    mine.insert(mine.end(), bytes.begin(), bytes.end());
  }
  const Bytes all = grid.replica().broadcast_bytes(mine, 0);
  episodes.clear();
  for (std::span<const std::byte> rest(all); !rest.empty();) {
    unpack(rest, episodes.emplace_back());
  }
  return episodes;
}

void sort_by_number(std::vector<Episode>& episodes) {
  std::sort(episodes.begin(), episodes.end(),
            [](const Episode& a, const Episode& b) { return a.number < b.number; });
}

}  // namespace

PpoTrainer::PpoTrainer(const Setup& s)
    : setup_(s),
      learner_ranks_(
          s.processes.learner
              ? model_ranks(*s.processes.learner, s.train.parallel.stages, s.train.tensor_parts)
              : ModelRanks{}),
      batch_(batch_layout(s.layout, s.options)),
      to_reward_(s.world, episode_tag),
      to_learner_(s.world, scored_tag),
      weight_sync_({.world = s.world,
                    .layout = s.layout,
                    .policy = s.policy,
                    .learner_cut = s.train.parallel.stages,
                    .shared = rollout_reads_learner(s.layout)}),
      role_times_(s.layout, s.world) {
  setup_.run.set_writer(s.layout.learner.ranks.front());
  collectively(s.world, [&] {
    roles_ = make_roles({.device = s.machine.device,
                         .layout = s.layout,
                         .rank = s.world.rank(),
                         .learners = s.processes.learner ? &s.processes.learner->dp() : nullptr,
                         .models = s.models,
                         .prompts = s.prompts,
                         .shown = s.shown,
                         .options = s.options,
                         .train = s.train,
                         .seed = s.run.seed(),
                         .max_response_tokens = s.max_response_tokens,
                         .replay = s.replay,
                         .between_decode_steps =
                             [this] {
                               setup_.world.progress().tick("rollout");
                               // Looking at the mailbox also moves what waits in it.
                               (void)to_reward_.pending();
                             },
                         .between_scored = [this] { setup_.world.progress().tick("scoring"); }});
  });
}

double PpoTrainer::kl_coefficient() const {
  const auto& extra = setup_.run.state().extra;
  return extra.contains("kl_coefficient") ? extra["kl_coefficient"].get<double>()
                                          : setup_.options.kl;
}

std::int64_t PpoTrainer::weight_version(std::int64_t step) const {
  const PpoOptions& o = setup_.options;
  return std::max<std::int64_t>(0, step - 1 - o.staleness - o.value_warmup_steps);
}

void PpoTrainer::load() {
  if (!setup_.run.checkpoint()) {
    return;
  }
  collectively(setup_.world, [&] {
    const StateReader file(*setup_.run.checkpoint());
    if (roles_.learner) {
      roles_.learner->read(file, read_update_counts(setup_.run.state().extra));
    }
    if (setup_.models.policy_copy) {
      read_tensors(file, "policy", weight_path, setup_.models.policy_copy->parameters,
                   setup_.machine.device);
    }
  });
}

void PpoTrainer::resave() {
  load();
  setup_.run.save_again(describe());
}

TrainingRun::Describe PpoTrainer::describe() const {
  return [this](StateWriter* file) {
    if (roles_.learner) {
      roles_.learner->write(file, learner_grid(), learner_ranks_);
    }
  };
}

void PpoTrainer::begin() {
  const std::int64_t first = setup_.run.state().step + 1;
  const bool ahead = setup_.options.staleness > 0;
  if (!ahead) {
    load();
  } else if (setup_.run.checkpoint()) {
    collectively(setup_.world, [&] {
      const StateReader file(*setup_.run.checkpoint());
      for (std::optional<Model>* model : {&setup_.models.policy, &setup_.models.policy_copy}) {
        if (*model) {
          read_tensors(file, behaviour_part, weight_path, (*model)->parameters,
                       setup_.machine.device);
        }
      }
    });
  }
  setup_.run.begin(setup_.train.steps);
  check_weights(weight_version(first));
  if (ahead) {
    if (first <= setup_.train.steps) {
      generate(first);
    }
    load();
    check_weights(weight_version(first + 1));
    setup_.run.phases().reset();  // The first step's are its own.
  }
}

void PpoTrainer::generate(std::int64_t step) {
  sampled_from_[step] = weights_;
  if (roles_.rollout) {
    rollout(step);
  }
  if (roles_.reward) {
    score(step);
  }
}

ExitStatus PpoTrainer::train() {
  collectively(setup_.world, [&] {
    if (setup_.replay != nullptr) {
      setup_.replay->require_episodes(setup_.run.state().step * batch_.batch,
                                      setup_.train.steps * batch_.batch);
    }
  });
  begin();
  while (setup_.run.state().step < setup_.train.steps) {
    const std::int64_t step = setup_.run.state().step + 1;
    // With ppo.staleness the next batch, while the learner learns from the one before.
    if (const std::int64_t next = step + setup_.options.staleness; next <= setup_.train.steps) {
      generate(next);
    }
    StepReport report;
    std::vector<Row> episodes;
    if (roles_.learner) {
      const std::vector<Experience> batch = experience(step, report);
      if (is_sound(step, report)) {
        learn(step, batch, report, episodes);
      }
    }
    start_weight_sync();
    share(report, episodes);
    finish_weight_sync(step + 1 + setup_.options.staleness);
    auto& extra = setup_.run.state().extra;
    try {
      setup_.run.guard(
          [&] {
            guard_batch(report.batch, step, setup_.options, extra);
            guard_update(report.update, step, extra);
          },
          describe(), report.update.applied == 0);
      sampled_from_.erase(step);
      show_samples(step);
      record(report, step, episodes);
      if (setup_.run.safe_point(describe())) {
        end(step);
        return ExitStatus::stopped_early;
      }
    } catch (const AgreedError&) {
      end(step);
      throw;
    }
  }
  end(setup_.train.steps);
  return ExitStatus::done;
}

void PpoTrainer::end(std::int64_t last_step) {
  // The next launch generates this batch again.
  const bool under_way = setup_.options.staleness > 0 && last_step < setup_.train.steps;
  if (under_way && roles_.learner && learner_grid().is_leader()) {
    const auto [begin, end] = batch_.learner_part(learner_grid().coordinates().dp);
    while (std::ssize(scored_[last_step + 1]) < end - begin) {
      receive_one_scored();
    }
  }
  to_reward_.flush();
  to_learner_.flush();
}

void PpoTrainer::rollout(std::int64_t step) {
  const auto timed = setup_.run.phases().phase("rollout");
  const WorkScope scope(setup_.world.work(), {.kind = WorkKind::generation, .name = "rollout"});
  const std::int64_t first = (step - 1) * batch_.batch;
  ProcessGrid& grid = *setup_.processes.rollout;
  roles_.rollout->generate({first, first + batch_.batch}, weights_, [&](Episode&& episode) {
    if (!grid.is_leader()) {
      return;  // All ranks of a copy have the episode; their leader sends it.
    }
    const std::int64_t group = batch_.group_of(episode.number - first);
    to_reward_.post(setup_.layout.reward.leader(batch_.reward_rank_of(group)), pack(episode));
  });
}

/// The next group of a step of which all episodes have come, whatever the order in which groups
/// fill up.
std::vector<Episode> PpoTrainer::receive_group(std::int64_t step) {
  while (true) {
    for (auto& [of, members] : open_groups_) {
      if (of.first == step && std::ssize(members) == batch_.group_size(of.second)) {
        std::vector<Episode> whole = std::move(open_groups_.extract(of).mapped());
        sort_by_number(whole);
        return whole;
      }
    }
    Episode episode = episode_of(to_reward_.receive("episodes"));
    const std::int64_t group = batch_.group_of(episode.number % batch_.batch);
    open_groups_[{step_of(episode), group}].push_back(std::move(episode));
  }
}

void PpoTrainer::score(std::int64_t step) {
  ProcessGrid& grid = *setup_.processes.reward;
  for (std::int64_t left = batch_.groups_of(grid.coordinates().dp); left > 0; --left) {
    std::vector<Episode> members =
        from_leader(grid, grid.is_leader() ? receive_group(step) : std::vector<Episode>{});
    {
      const auto timed = setup_.run.phases().phase("reward");
      const WorkScope scope(setup_.world.work(), {.kind = WorkKind::inference, .name = "scores"});
      roles_.reward->score(members);
    }
    for (const Episode& scored : members) {
      if (grid.is_leader()) {
        const int replica = batch_.learner_of(scored.number % batch_.batch);
        to_learner_.post(setup_.layout.learner.leader(replica), pack(scored));
      }
    }
  }
}

void PpoTrainer::receive_one_scored() {
  Episode episode = episode_of(to_learner_.receive("scored episodes"));
  require_version(episode);
  scored_[step_of(episode)].push_back(std::move(episode));
}

std::vector<Episode> PpoTrainer::receive_scored(std::int64_t step, std::int64_t most) {
  std::vector<Episode> some;
  if (learner_grid().is_leader()) {
    std::vector<Episode>& come = scored_[step];
    while (std::ssize(come) < std::min(most, batch_.reward_group)) {
      receive_one_scored();
    }
    some = std::move(scored_.extract(step).mapped());
  }
  return from_leader(learner_grid(), std::move(some));
}

std::vector<Experience> PpoTrainer::experience(std::int64_t step, StepReport& report) {
  report.kl_coefficient = kl_coefficient();
  const auto [begin, end] = batch_.learner_part(learner_grid().coordinates().dp);
  std::vector<Experience> own;
  while (std::ssize(own) < end - begin) {
    // As they come, while others are still being generated and scored.
    std::vector<Episode> some = receive_scored(step, end - begin - std::ssize(own));
    const auto timed = setup_.run.phases().phase("experience");
    const WorkScope scope(setup_.world.work(),
                          {.kind = WorkKind::inference, .name = "log-probs and values"});
    std::ranges::move(roles_.learner->experience(std::move(some), report.kl_coefficient),
                      std::back_inserter(own));
  }
  const auto timed = setup_.run.phases().phase("experience");
  std::ranges::sort(own, {}, [](const Experience& e) { return e.episode.number; });
  std::vector<Experience> batch = whole_batch(learner_grid().dp().group(), std::move(own));
  if (setup_.options.whiten) {
    whiten(batch);
  }
  report.correction = correct(batch, setup_.options);
  report.batch = report_of(batch, report.kl_coefficient, setup_.options.kl_estimator);
  return batch;
}

bool PpoTrainer::is_sound(std::int64_t step, const StepReport& report) const {
  nlohmann::ordered_json extra = setup_.run.state().extra;
  try {
    guard_batch(report.batch, step, setup_.options, extra);
  } catch (const Error&) {
    return false;
  }
  return true;
}

void PpoTrainer::learn(std::int64_t step, std::span<const Experience> batch, StepReport& report,
                       std::vector<Row>& episodes) {
  const auto timed = setup_.run.phases().phase("update");
  const TrainOptions& train = setup_.train;
  report.learning_rate = learning_rate(train, train.learning_rate, step - 1, train.steps);
  report.update = roles_.learner->update(
      batch, step,
      {.policy = report.learning_rate,
       .value = learning_rate(train, setup_.options.value_learning_rate, step - 1, train.steps)});
  report.updates = roles_.learner->updates();
  for (const Experience& e : batch) {
    report.generated += static_cast<std::int64_t>(e.episode.response.size());
    report.scored += e.episode.sequence().size();
  }
  episodes = episode_rows(batch, step, setup_.run.seed(), report.kl_coefficient, setup_.options,
                          [this](const Episode& episode) { return prompt_id_of(episode); });
}

std::string PpoTrainer::prompt_id_of(const Episode& episode) const {
  if (setup_.replay != nullptr) {
    return setup_.replay->prompt_id_of(episode.number);
  }
  return setup_.prompts[static_cast<std::size_t>(episode.prompt)].row.id();
}

void PpoTrainer::share(StepReport& report, std::vector<Row>& episodes) {
  const int root = setup_.layout.learner.ranks.front();
  broadcast(report, setup_.world, root);
  if (setup_.options.log_episodes > 0) {
    const bool mine = setup_.world.rank() == root;
    episodes =
        nlohmann::ordered_json::parse(
            setup_.world.broadcast_text(mine ? nlohmann::ordered_json(episodes).dump() : "", root))
            .get<std::vector<Row>>();
  }
  for (Mailbox* messages : {&to_reward_, &to_learner_}) {
    if (setup_.options.staleness == 0) {
      // Every message of the step has been taken, so this only frees what the senders still kept.
      messages->flush();
    } else {
      (void)messages->pending();  // Those of the next batch may not have been.
    }
  }
}

void PpoTrainer::start_weight_sync() {
  const auto timed = setup_.run.phases().phase("sync");
  RoleModels& models = setup_.models;
  weight_sync_.start(setup_.machine.device, models.policy ? &models.policy->parameters : nullptr,
                     models.policy_copy ? &models.policy_copy->parameters : nullptr);
}

void PpoTrainer::finish_weight_sync(std::int64_t next) {
  const auto timed = setup_.run.phases().phase("sync");
  weight_sync_.finish();
  check_weights(weight_version(next));
}

void PpoTrainer::check_weights(std::int64_t number) {
  weights_ = {.number = number, .digest = 0};
  if (!setup_.options.check_weights) {
    return;
  }
  const RoleModels& models = setup_.models;
  const WeightSync::Found found = weight_sync_.check(
      setup_.machine.device, models.policy ? &models.policy->parameters : nullptr,
      models.policy_copy ? &models.policy_copy->parameters : nullptr);
  weights_.digest = found.digest;
  collectively(setup_.world, [&] {
    require(found.difference.empty(),
            "The policy's weights of version {} are not the same everywhere (ppo.check_weights): "
            "{}. The run ends here, and goes on from its last checkpoint; if it happens again, "
            "look at the memory and the network of these ranks.",
            number, found.difference);
  });
}

void PpoTrainer::require_version(const Episode& episode) const {
  const WeightVersion& expected = sampled_from_.at(step_of(episode));
  require(episode.weights == expected,
          "Episode {} was sampled from weights of version {} with digest {:016x}; expected version "
          "{} with digest {:016x}.",
          episode.number, episode.weights.number, episode.weights.digest, expected.number,
          expected.digest);
}

void PpoTrainer::show_samples(std::int64_t step) {
  const std::int64_t every = setup_.options.samples_every;
  const bool due = step == setup_.train.steps || (every > 0 && step % every == 0);
  if (due && roles_.shown) {
    std::vector<Row> rows;
    {
      const WorkScope scope(setup_.world.work(), {.kind = WorkKind::generation, .name = "samples"});
      rows = roles_.shown->rows(setup_.models.sampled().parameters, step,
                                [this] { setup_.world.progress().tick("samples"); });
    }
    setup_.run.add_samples(rows);
  }
}

void PpoTrainer::record(const StepReport& report, std::int64_t step,
                        const std::vector<Row>& episodes) {
  const PpoOptions& o = setup_.options;
  auto& extra = setup_.run.state().extra;
  write_update_counts(extra, report.updates);
  extra["kl_coefficient"] = next_kl_coefficient(report.kl_coefficient, report.batch.kl_k1, o);
  if (setup_.replay != nullptr) {
    extra["inputs"]["ppo.replay"] = setup_.replay->digest(step * batch_.batch);
  }
  Row metrics = metrics_row(report, weight_version(step));
  const auto& phases = setup_.run.phases().seconds();
  const auto generating = phases.find("rollout");
  role_times_.add_to(metrics, roles_.rollout && generating != phases.end()
                                  ? generating->second * roles_.rollout->lost_share()
                                  : 0.0);
  reduce_phases(setup_.run.phases(), setup_.world, report, o, metrics);
  setup_.run.add_episodes(episodes);
  // Tokens are generated once, then trained on in each epoch.
  setup_.run.record(report.generated + o.epochs * report.scored, metrics,
                    {.values = progress_values(report.batch)});
  if (step >= next_warning_of_ends_) {
    if (const std::string warning = too_few_ended(report.batch, step, o); !warning.empty()) {
      setup_.log.warning("{}", warning);
      next_warning_of_ends_ = step + std::max<std::int64_t>(10, setup_.train.steps / 10);
    }
  }
}

void PpoTrainer::save_final() {
  const WorkScope scope(setup_.world.work(), {.kind = WorkKind::output, .name = "final models"});
  collectively(setup_.world, [&] {
    if (!roles_.learner) {
      return;
    }
    const std::pair<const char*, const Model*> files[]{{"policy.h5", &*setup_.models.policy},
                                                       {"value.h5", &*setup_.models.value}};
    for (const auto& [name, model] : files) {
      save_model(learner_grid().whole(), setup_.run.file(name), setup_.machine.device,
                 learner_grid(), learner_ranks_, model->config, model->tokenizer,
                 model->parameters);
    }
  });
}

}  // namespace precis
