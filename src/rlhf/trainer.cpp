#include "rlhf/trainer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "data/byte_text.hpp"
#include "parallel/collectively.hpp"
#include "train/guard.hpp"
#include "train/learning_rate.hpp"

namespace precis {
namespace {

constexpr int episode_tag = 1;
constexpr int scored_tag = 2;
constexpr std::size_t shown_prompts = 4;
constexpr std::array<const char*, 5> phase_names{"rollout", "reward", "experience", "update",
                                                 "sync"};

Episode episode_of(const Message& message) {
  Episode episode;
  std::span<const std::byte> bytes(message.bytes);
  unpack(bytes, episode);
  return episode;
}

void sort_by_number(std::vector<Episode>& episodes) {
  std::sort(episodes.begin(), episodes.end(),
            [](const Episode& a, const Episode& b) { return a.number < b.number; });
}

/// The row's own id, else its line number from 0, as `sample` names rows.
std::string id_of(const SummaryRow& row) {
  return row.post.id.empty() ? std::to_string(row.line - 1) : row.post.id;
}

Row metrics_row(const BatchReport& b, const UpdateReport& u, double kl_coefficient, double rate,
                std::int64_t weight_version) {
  return {{"score_mean", b.score_mean},
          {"score_std", b.score_std},
          {"rlhf_reward", b.rlhf_reward},
          {"kl_k1", b.kl_k1},
          {"kl_k3", b.kl_k3},
          {"kl_exact", b.kl_exact},
          {"kl_coefficient", kl_coefficient},
          {"entropy", b.entropy},
          {"policy_loss", u.policy_loss},
          {"value_loss", u.value_loss},
          {"update_kl", u.update_kl},
          {"clip_fraction_policy", u.clip_fraction_policy},
          {"clip_fraction_value", u.clip_fraction_value},
          {"ratio_mean", u.ratio_mean},
          {"ratio_max", u.ratio_max},
          {"explained_variance", b.explained_variance},
          {"response_tokens_mean", b.response_tokens_mean},
          {"ended_fraction", b.ended_fraction},
          {"learning_rate", rate},
          {"gradient_norm", std::hypot(u.gradient_norm_policy, u.gradient_norm_value)},
          {"gradient_norm_policy", u.gradient_norm_policy},
          {"gradient_norm_value", u.gradient_norm_value},
          {"logprob_gap_mean", b.logprob_gap_mean},
          {"logprob_gap_max", b.logprob_gap_max},
          {"weight_version", weight_version}};
}

}  // namespace

struct PpoTrainer::StepResult {
  Row metrics;
  std::vector<Row> episodes;
  std::int64_t generated = 0;  ///< tokens of the responses
  std::int64_t scored = 0;     ///< and of their prompts with them; trained on in each epoch
  std::int64_t updates = 0;
  double next_kl_coefficient = 0;
  std::string trouble;  ///< why the run must end, if it must
};

PpoTrainer::PpoTrainer(const Setup& s)
    : setup_(s),
      rollout_grid_(make_role_grid(s.world, s.layout.rollout, "rollout")),
      reward_grid_(make_role_grid(s.world, s.layout.reward, "reward")),
      learner_grid_(make_role_grid(s.world, s.layout.learner, "learner")),
      batch_{.batch = s.options.batch,
             .reward_group = s.options.reward_group,
             .rollout_ranks = s.layout.rollout.grid.dp,
             .reward_ranks = s.layout.reward.grid.dp,
             .learner_ranks = s.layout.learner.grid.dp},
      to_reward_(s.world, episode_tag),
      to_learner_(s.world, scored_tag),
      weight_sync_(s.world, s.layout) {
  const auto tick = [this](const char* phase) {
    return [this, phase] { setup_.world.progress().tick(phase); };
  };
  Device& device = s.machine.device;
  if (rollout_grid_) {
    GenerationRule rule;
    rule.sampling.seed = s.run.seed();
    rule.sampling.temperature = s.options.temperature;
    rule.max_new_tokens = s.max_response_tokens;
    rule.max_sequences = s.options.max_sequences;
    rollout_ = std::make_unique<Rollout>(Rollout::Setup{.device = device,
                                                        .config = s.models.policy->config,
                                                        .policy = s.models.policy->parameters,
                                                        .prompts = s.prompts,
                                                        .seed = s.run.seed(),
                                                        .rule = rule,
                                                        .replay = s.replay,
                                                        .between_steps = [this] {
                                                          setup_.world.progress().tick("rollout");
                                                          // Looking at the mailbox also moves what
                                                          // waits in it.
                                                          (void)to_reward_.pending();
                                                        }});
  }
  if (reward_grid_) {
    reward_ =
        std::make_unique<Reward>(Reward::Setup{.device = device,
                                               .reward = *s.models.reward,
                                               .reference = *s.models.reference,
                                               .micro_batch_tokens = s.train.micro_batch_tokens,
                                               .temperature = s.options.temperature,
                                               .between = tick("scoring")});
  }
  if (learner_grid_) {
    ppo_ = std::make_unique<Ppo>(Ppo::Setup{.device = device,
                                            .ranks = learner_grid_->dp(),
                                            .policy = *s.models.policy,
                                            .value = *s.models.value,
                                            .reference_head = *s.models.reference_head,
                                            .options = s.options,
                                            .train = s.train,
                                            .seed = s.run.seed()});
  }
  setup_.run.set_writer(s.layout.learner.ranks.front());
}

PpoTrainer::~PpoTrainer() = default;

double PpoTrainer::kl_coefficient() const {
  const auto& extra = setup_.run.state().extra;
  return extra.contains("kl_coefficient") ? extra["kl_coefficient"].get<double>()
                                          : setup_.options.kl;
}

void PpoTrainer::load() {
  if (!setup_.run.checkpoint()) {
    return;
  }
  collectively(setup_.world, [&] {
    const StateReader file(*setup_.run.checkpoint());
    if (ppo_) {
      ppo_->read(file, setup_.run.state().extra.at("updates").get<std::int64_t>());
    } else if (rollout_) {
      read_tensors(file, "policy", weight_path, setup_.models.policy->parameters,
                   setup_.machine.device);
    }
  });
}

void PpoTrainer::resave() {
  load();
  setup_.run.save(describe());
}

TrainingRun::Describe PpoTrainer::describe() const {
  return [this](StateWriter& file) { ppo_->write(file); };
}

ExitStatus PpoTrainer::train() {
  load();
  collectively(setup_.world, [&] {
    if (setup_.replay != nullptr) {
      setup_.replay->require_episodes(setup_.run.state().step * batch_.batch,
                                      setup_.train.steps * batch_.batch);
    }
  });
  setup_.run.begin(setup_.train.steps);
  while (setup_.run.state().step < setup_.train.steps) {
    const std::int64_t step = setup_.run.state().step + 1;
    if (rollout_) {
      rollout(step);
    }
    if (reward_) {
      score();
    }
    StepResult result;
    if (ppo_) {
      result = learn(step);
    }
    share(result);
    if (setup_.models.policy) {
      const auto timed = setup_.run.phases().phase("sync");
      weight_sync_.run(setup_.machine.device, setup_.models.policy->parameters);
    }
    show_samples(step);
    reduce_phases();
    add_rates(result);
    setup_.run.add_episodes(result.episodes);
    setup_.run.record(result.generated + setup_.options.epochs * result.scored, result.metrics,
                      {.name = "score", .value = result.metrics.at("score_mean").get<double>()});
    if (setup_.run.safe_point(describe())) {
      return ExitStatus::stopped_early;
    }
  }
  return ExitStatus::done;
}

void PpoTrainer::rollout(std::int64_t step) {
  const auto timed = setup_.run.phases().phase("rollout");
  const std::int64_t first = (step - 1) * batch_.batch;
  const auto [begin, end] = batch_.rollout_part(rollout_grid_->coordinates().dp);
  rollout_->generate({first + begin, first + end}, step - 1, [&](Episode&& episode) {
    const std::int64_t group = batch_.group_of(episode.number - first);
    const int rank = batch_.reward_rank_of(group);
    to_reward_.post(setup_.layout.reward.ranks[static_cast<std::size_t>(rank)], pack(episode));
  });
}

void PpoTrainer::score() {
  // A group is scored when its last episode has come, whatever the order in which groups fill up.
  std::map<std::int64_t, std::vector<Episode>> groups;
  std::int64_t left = batch_.groups_of(reward_grid_->coordinates().dp);
  while (left > 0) {
    Episode episode = episode_of(to_reward_.receive("episodes"));
    const std::int64_t group = batch_.group_of(episode.number % batch_.batch);
    std::vector<Episode>& members = groups[group];
    members.push_back(std::move(episode));
    if (static_cast<std::int64_t>(members.size()) < batch_.group_size(group)) {
      continue;
    }
    sort_by_number(members);
    {
      const auto timed = setup_.run.phases().phase("reward");
      reward_->score(members);
    }
    for (const Episode& scored : members) {
      const int rank = batch_.learner_of(scored.number % batch_.batch);
      to_learner_.post(setup_.layout.learner.ranks[static_cast<std::size_t>(rank)], pack(scored));
    }
    groups.erase(group);
    --left;
  }
}

std::vector<Episode> PpoTrainer::receive_scored() {
  const auto [begin, end] = batch_.learner_part(learner_grid_->coordinates().dp);
  std::vector<Episode> mine;
  while (static_cast<std::int64_t>(mine.size()) < end - begin) {
    mine.push_back(episode_of(to_learner_.receive("scored episodes")));
  }
  sort_by_number(mine);
  return mine;
}

PpoTrainer::StepResult PpoTrainer::learn(std::int64_t step) {
  const PpoOptions& o = setup_.options;
  const double kl = kl_coefficient();
  std::vector<Episode> mine = receive_scored();
  std::vector<Experience> batch;
  {
    const auto timed = setup_.run.phases().phase("experience");
    batch = ppo_->experience(std::move(mine), kl);
  }
  const BatchReport report = report_of(batch, kl);
  StepResult result;
  if (o.max_kl > 0 && !(report.kl_k1 <= o.max_kl)) {
    result.trouble = fmt::format(
        "Step {}: the policy is {:.4g} nats a summary from the reference; ppo.max_kl allows "
        "{:.4g}. "
        "The run stops before this update; its last checkpoint is from before. A larger ppo.kl, or "
        "a "
        "lower train.learning_rate, keeps the policy closer.",
        step, report.kl_k1, o.max_kl);
    return result;
  }
  const auto timed = setup_.run.phases().phase("update");
  const Ppo::Rates rates{
      learning_rate(setup_.train, setup_.train.learning_rate, step - 1, setup_.train.steps),
      learning_rate(setup_.train, o.value_learning_rate, step - 1, setup_.train.steps)};
  const UpdateReport update = ppo_->update(batch, step, rates);
  try {
    guard_finite(step, "score_mean", report.score_mean);
    guard_finite(step, "kl_k1", report.kl_k1);
    guard_finite(step, "gradient_norm_policy", update.gradient_norm_policy);
    guard_finite(step, "gradient_norm_value", update.gradient_norm_value);
    guard_finite(step, "policy_loss", update.policy_loss);
    guard_loss(step, update.value_loss, update.gradient_norm_value, setup_.run.state().extra);
  } catch (const Error& error) {
    result.trouble = error.what();
    return result;
  }

  result.metrics = metrics_row(report, update, kl, rates.policy, step - 1);
  result.next_kl_coefficient = next_kl_coefficient(kl, report.kl_k1, o);
  result.updates = ppo_->updates();
  for (const Experience& e : batch) {
    result.generated += static_cast<std::int64_t>(e.episode.response.size());
    result.scored += e.episode.sequence().size();
  }
  std::vector<std::vector<std::int64_t>> mini_batches;
  for (std::int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    mini_batches.push_back(
        mini_batches_of(o.batch, o.mini_batches, setup_.run.seed(), step, epoch));
  }
  for (std::int64_t i = 0; i < std::min(o.log_episodes, o.batch); ++i) {
    const Experience& e = batch[static_cast<std::size_t>(i)];
    std::vector<std::int64_t> in;
    for (const auto& of : mini_batches) {
      in.push_back(of[static_cast<std::size_t>(i)]);
    }
    result.episodes.push_back(episode_row(e, step, prompt_id_of(e.episode), kl, in));
  }
  return result;
}

std::string PpoTrainer::prompt_id_of(const Episode& episode) const {
  if (setup_.replay != nullptr) {
    return setup_.replay->prompt_id_of(episode.number);
  }
  return id_of(setup_.prompts[static_cast<std::size_t>(episode.prompt)].row);
}

void PpoTrainer::share(StepResult& result) {
  nlohmann::ordered_json json{{"metrics", result.metrics},
                              {"episodes", result.episodes},
                              {"generated", result.generated},
                              {"scored", result.scored},
                              {"updates", result.updates},
                              {"kl_coefficient", result.next_kl_coefficient},
                              {"first_loss", setup_.run.state().extra.value("first_loss", 0.0)},
                              {"trouble", result.trouble}};
  const int root = setup_.layout.learner.ranks.front();
  const bool mine = setup_.world.rank() == root;
  json = nlohmann::ordered_json::parse(
      setup_.world.broadcast_text(mine ? json.dump() : std::string(), root));
  result.trouble = json["trouble"];
  collectively(setup_.world, [&] { require(result.trouble.empty(), "{}", result.trouble); });
  result.metrics = json["metrics"];
  result.episodes = json["episodes"].get<std::vector<Row>>();
  result.generated = json["generated"];
  result.scored = json["scored"];
  for (const char* key : {"updates", "kl_coefficient", "first_loss"}) {
    setup_.run.state().extra[key] = json[key];
  }
}

void PpoTrainer::show_samples(std::int64_t step) {
  const std::int64_t every = setup_.options.samples_every;
  const bool due = step == setup_.train.steps || (every > 0 && step % every == 0);
  // Rank 0 writes the files and is a rollout rank in either placement.
  if (!due || setup_.world.rank() != 0 || setup_.tokenizer == nullptr) {
    return;
  }
  std::vector<std::vector<std::int32_t>> queries;
  for (const Example& example : setup_.shown) {
    if (queries.size() < shown_prompts) {
      queries.push_back(example.query);
    }
  }
  auto responses = rollout_->greedy(queries);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    // A model may have more rows in its embedding than its tokenizer has tokens.
    std::erase_if(responses[i], [&](std::int32_t id) { return !setup_.tokenizer->contains(id); });
    rows.push_back({{"step", step},
                    {"id", id_of(setup_.shown[i].row)},
                    {"response", replace_invalid_utf8(setup_.tokenizer->decode(responses[i]))},
                    {"reference", setup_.shown[i].row.summary}});
  }
  setup_.run.add_samples(rows);
}

void PpoTrainer::reduce_phases() {
  std::array<double, phase_names.size()> seconds{};
  for (std::size_t i = 0; i < phase_names.size(); ++i) {
    const auto& spent = setup_.run.phases().seconds();
    const auto found = spent.find(phase_names[i]);
    seconds[i] = found == spent.end() ? 0 : found->second;
  }
  const std::array<double, phase_names.size()> mine = seconds;
  setup_.world.all_reduce(view_of(seconds), Reduction::max);
  for (std::size_t i = 0; i < phase_names.size(); ++i) {
    setup_.run.phases().add(phase_names[i], seconds[i] - mine[i]);
  }
}

void PpoTrainer::add_rates(StepResult& result) {
  const std::int64_t trained = setup_.options.epochs * result.scored;
  const std::pair<const char*, std::int64_t> tokens[]{{"rollout", result.generated},
                                                      {"reward", result.scored},
                                                      {"experience", result.scored},
                                                      {"update", trained}};
  for (const auto& [phase, count] : tokens) {
    result.metrics[fmt::format("{}_tokens_per_second", phase)] =
        static_cast<double>(count) / setup_.run.phases().seconds().at(phase);
  }
}

void PpoTrainer::save_final() {
  collectively(setup_.world, [&] {
    if (setup_.world.rank() != setup_.layout.learner.ranks.front()) {
      return;
    }
    const std::pair<const char*, const Model*> files[]{{"policy.h5", &*setup_.models.policy},
                                                       {"value.h5", &*setup_.models.value}};
    for (const auto& [name, model] : files) {
      save_model(setup_.run.file(name), model->config, model->tokenizer, model->parameters,
                 setup_.machine.device);
    }
  });
}

}  // namespace precis
