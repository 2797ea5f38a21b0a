// precis ppo: a policy improved by PPO against a reward model.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/model_input.hpp"
#include "data/data_options.hpp"
#include "data/tldr.hpp"
#include "io/handed_files.hpp"
#include "model/model.hpp"
#include "parallel/collectively.hpp"
#include "parallel/watchdog.hpp"
#include "rlhf/plan.hpp"
#include "rlhf/trainer.hpp"
#include "train/busy_cores.hpp"
#include "train/input_digests.hpp"

namespace precis {
namespace {

struct PpoCommand {
  std::string policy, reference, reward, value;
  RunOptions run;
  DataOptions data;
  TrainOptions train;
  PpoOptions ppo;
  CheckpointOptions checkpoint;
};

void add_options(OptionTable& table, PpoCommand& o) {
  table.add("policy", &o.policy,
            {.meaning = "language model to improve (sft's model.h5)", .required = true});
  table.add("reference", &o.reference,
            {.meaning = "language model that the KL penalty refers to",
             .source = "Stiennon 2020",
             .default_text = "the policy"});
  table.add("reward", &o.reward, {.meaning = "reward model", .required = true});
  table.add("value", &o.value,
            {.meaning = "reward or value model that the value network starts from",
             .source = "Stiennon 2020",
             .default_text = "the reward model"});
  add_run_options(table, o.run);
  add_data_options(table, o.data, DataUse::ppo);
  add_train_options(table, o.train, TrainUse::ppo);
  add_ppo_options(table, o.ppo);
  add_checkpoint_options(table, o.checkpoint);
}

/// Sets the defaults that depend on other keys, and checks what depends on several keys.
void complete(PpoCommand& o, const OptionTable& table) {
  if (o.reference.empty()) {
    o.reference = o.policy;
  }
  if (o.value.empty()) {
    o.value = o.reward;
  }
  if (!table.given("ppo.value_learning_rate")) {
    o.ppo.value_learning_rate = o.train.learning_rate;
  }
  if (!table.given("ppo.value_lambda")) {
    o.ppo.value_lambda = o.ppo.lambda;
  }
  if (o.ppo.correction != Correction::none && o.ppo.staleness == 0) {
    fail_usage(
        "ppo.correction is given, but with ppo.staleness 0 each batch is sampled from the policy "
        "that learns from it: there is nothing to correct. Give ppo.staleness 1, or leave it out.");
  }
  if (o.train.steps < 1) {
    fail_usage("train.steps is {}; expected at least 1 batch of rollouts.", o.train.steps);
  }
  if (o.ppo.batch % o.ppo.mini_batches != 0) {
    fail_usage(
        "ppo.batch is {} and ppo.mini_batches is {}: the batch must be a multiple of the "
        "mini-batches. The nearest that fits is ppo.batch = {}.",
        o.ppo.batch, o.ppo.mini_batches,
        std::max<std::int64_t>(1, o.ppo.batch / o.ppo.mini_batches) * o.ppo.mini_batches);
  }
}

RoleLayout plan(const PpoCommand& o, int ranks) {
  const auto grid_of = [](const std::string& text, const char* key) {
    return text.empty() ? std::nullopt : std::optional(parse_grid(text, key));
  };
  return plan_roles(parse_placement(o.ppo.placement),
                    {.grid = grid_of(o.run.machine.grid, "grid"),
                     .rollout = grid_of(o.ppo.rollout_grid, "rollout.grid"),
                     .reward = grid_of(o.ppo.reward_grid, "reward.grid"),
                     .learner = grid_of(o.ppo.learner_grid, "learner.grid")},
                    ranks);
}

/// The heads of the four models, and the tokenizer that all of them must have.
struct Heads {
  ModelHead policy, reference, reward, value;
  std::optional<Tokenizer> tokenizer;
};

ModelHead read_head(const std::string& file, std::initializer_list<ModelKind> kinds) {
  return load_model_head(ModelReader(file, ""), kinds);
}

Heads read_heads(const PpoCommand& o) {
  Heads heads{.policy = read_head(o.policy, {ModelKind::language}),
              .reference = read_head(o.reference, {ModelKind::language}),
              .reward = read_head(o.reward, {ModelKind::reward}),
              .value = read_head(o.value, {ModelKind::reward, ModelKind::value}),
              .tokenizer = std::nullopt};
  const auto tokenizer = [&](const ModelHead& head, const std::string& file) {
    auto of_head = tokenizer_of(head.config, head.tokenizer, file);
    return of_head ? std::optional(with_begin_token(*of_head, o.data.begin, file)) : of_head;
  };
  heads.tokenizer = tokenizer(heads.policy, o.policy);
  // Without one, no summary would ever be finished.
  (void)heads.policy.config.end_token();
  const std::pair<const std::string&, const ModelHead&> others[]{
      {o.reference, heads.reference}, {o.reward, heads.reward}, {o.value, heads.value}};
  for (const auto& [file, head] : others) {
    const auto other = tokenizer(head, file);
    require(!heads.tokenizer || !other || heads.tokenizer->begin() == other->begin() ||
                !heads.tokenizer->with_begin({}).same_as(other->with_begin({})),
            "{} and {} were not trained with the same begin token before their queries. data.bos "
            "sets one for all models.",
            o.policy, file);
    const bool same = heads.tokenizer && other ? heads.tokenizer->same_as(*other)
                                               : heads.tokenizer.has_value() == other.has_value();
    require(
        same && head.config.vocabulary == heads.policy.config.vocabulary,
        "{} and {} have different tokenizers. Policy, reference, reward and value must have the "
        "same one.",
        o.policy, file);
  }
  return heads;
}

/// The output matrix of a language model alone: what the learner needs of the reference.
Parameters load_head(Device& device, const std::string& file, const ModelConfig& config,
                     const ModelParallel& learner) {
  const std::vector<ParameterSpec> specs = output_matrix_specs(config, learner.place);
  Parameters head(device, specs, MemoryUse::parameters, learner);
  for (const ParameterSpec& spec : specs) {
    read_weight(device, head.at(spec.name), ModelReader(file), spec);
  }
  head.changed();
  return head;
}

std::vector<std::uint8_t> json_of(const Tokenizer& tokenizer) {
  return {tokenizer.to_json().begin(), tokenizer.to_json().end()};
}

/// `trained`: the weights of policy and value network come from a checkpoint, so that only the
/// models that stay as they are are read here.
RoleModels load_models(const PpoCommand& o, const Heads& heads, const RoleLayout& layout,
                       const RoleProcesses& processes, Device& device, bool trained) {
  RoleModels models;
  const auto ranks_of = [&](const std::unique_ptr<ProcessGrid>& role, const std::string& stages) {
    return model_ranks(*role, stages, o.train.tensor_parts);
  };
  const auto policy_on = [&](const ModelRanks& ranks) {
    Model policy = trained ? allocate_model(device, heads.policy, ranks)
                           : load_model(device, o.policy, {ModelKind::language}, "", ranks);
    policy.tokenizer = json_of(*heads.tokenizer);
    return policy;
  };
  if (processes.rollout && !rollout_reads_learner(layout)) {
    models.policy_copy = policy_on(ranks_of(processes.rollout, ""));
  }
  const bool learner = processes.learner != nullptr;
  ModelRanks ranks;
  if (learner) {
    ranks = ranks_of(processes.learner, o.train.parallel.stages);
    models.policy = policy_on(ranks);
    models.value =
        trained ? allocate_model(device, heads.value, ranks)
                : load_model(device, o.value, {ModelKind::reward, ModelKind::value}, "", ranks);
    models.value->config.kind = ModelKind::value;
    models.value->tokenizer = json_of(*heads.tokenizer);
  }
  if (processes.reward) {
    const ModelRanks scoring = ranks_of(processes.reward, "");
    models.reward = load_model(device, o.reward, {ModelKind::reward}, "", scoring);
    models.reference = load_model(device, o.reference, {ModelKind::language}, "", scoring);
  }
  if (learner && !learner_reads_reference(layout)) {
    models.reference_head =
        load_head(device, o.reference, heads.reference.config, ranks.of(heads.policy.config));
  }
  return models;
}

/// The shortest context of the four models.
std::int64_t context_of(const Heads& heads) {
  return std::min({heads.policy.config.context, heads.reference.config.context,
                   heads.reward.config.context, heads.value.config.context});
}

struct Inputs {
  Examples prompts, shown;
  std::optional<Replay> replay;
};

/// What the run is begun with, and what it has replayed so far.
std::map<std::string, std::string> digests_of(const PpoCommand& o, const Inputs& inputs,
                                              std::int64_t steps_done) {
  return {{"policy", digest_of_model(o.policy)},
          {"reference", digest_of_model(o.reference)},
          {"reward", digest_of_model(o.reward)},
          {"value", digest_of_model(o.value)},
          {"data.prompts", digest_of(inputs.prompts.examples)},
          {"data.valid", digest_of(inputs.shown.examples)},
          {"ppo.replay", inputs.replay ? inputs.replay->digest(steps_done * o.ppo.batch) : ""}};
}

/// Collective.
Inputs read_inputs(const PpoCommand& o, const Heads& heads, const HandedFiles& handed,
                   RankGroup& world) {
  collectively(world, [&] {
    require(heads.tokenizer.has_value(),
            "{} has no tokenizer, which the posts in data.prompts need. Import it with one.",
            o.policy);
  });
  const auto prompts_in = [&](const std::vector<std::string>& files) {
    return read_examples(files, RowUse::prompts, o.data, *heads.tokenizer, context_of(heads),
                         handed, &world);
  };
  Inputs in{.prompts = prompts_in(o.data.prompts), .shown = {}, .replay = std::nullopt};
  if (!o.data.valid.empty()) {
    in.shown = prompts_in(o.data.valid);
  }
  if (!o.ppo.replay.empty()) {
    collectively(world, [&] {
      in.replay.emplace(handed.of(o.ppo.replay), heads.policy.config.vocabulary, context_of(heads));
    });
  }
  return in;
}

ExitStatus run(Context& context, PpoCommand& o) {
  MpiSession& mpi = *context.mpi;
  RankGroup& world = mpi.world();
  apply(o.run.log, mpi.rank(), context.log);
  const HandedFiles handed(mpi, joined_lists({o.data.prompts, o.data.valid, {o.ppo.replay}}));
  const RoleLayout layout = collectively(world, [&] {
    complete(o, context.options);
    return plan(o, mpi.size());
  });
  const Watchdog watchdog(mpi, o.run.machine.watchdog_seconds);
  Machine machine = collectively(
      world, [&] { return start_machine(o.run.machine, mpi, context.log, describe(layout)); });
  warn_of_busy_cores(machine.threads, mpi.node_size(), context.log);
  RoleProcesses processes = start_roles(world, layout);
  std::optional<TrainingRun> training;
  if (!o.run.dry_run) {
    training.emplace(TrainingRun::Setup{.log = context.log,
                                        .options = context.options,
                                        .world = world,
                                        .run = o.run,
                                        .checkpoint = o.checkpoint,
                                        .stop_after = o.train.stop_after,
                                        .command = "ppo",
                                        .layout = machine.layout,
                                        .final_files = {"policy.h5", "value.h5"}});
  }
  complete_exact_parts(
      o.train, training, o.run.run, world, layout.learner.grid.dp,
      std::max({layout.rollout.grid.tp, layout.reward.grid.tp, layout.learner.grid.tp}));
  if (training) {
    training->check_deck();
    if (training->is_complete(o.train.steps)) {
      return ExitStatus::done;
    }
  }
  const Heads heads = collectively(world, [&] { return read_heads(o); });
  const Inputs inputs = read_inputs(o, heads, handed, world);
  context.log.info("data.prompts: {}", inputs.prompts.counts.describe());
  const auto& shown =
      inputs.shown.examples.empty() ? inputs.prompts.examples : inputs.shown.examples;
  const Replay* const replay = inputs.replay ? &*inputs.replay : nullptr;
  const auto load = [&] {
    return load_models(o, heads, layout, processes, machine.device,
                       training && training->checkpoint());
  };
  const auto digests = collectively(
      world, [&] { return digests_of(o, inputs, training ? training->state().step : 0); });
  auto agreed = digests;
  agreed["ppo.replay"] = inputs.replay ? inputs.replay->digest() : "";
  agreed["data.prompts' ids"] = digest_of_labels(inputs.prompts.examples);
  agreed["data.valid's ids"] = digest_of_labels(inputs.shown.examples);
  agree_on_inputs(world, agreed);
  if (o.run.dry_run) {
    ModelConfig value = heads.value.config;
    value.kind = ModelKind::value;
    const std::string text = describe({.layout = layout,
                                       .policy = heads.policy.config,
                                       .reference = heads.reference.config,
                                       .reward = heads.reward.config,
                                       .value = value,
                                       .tokenizer = heads.policy.tokenizer,
                                       .prompts = inputs.prompts.examples,
                                       .shown = shown,
                                       .options = o.ppo,
                                       .train = o.train,
                                       .max_response_tokens = o.data.max_response_tokens,
                                       .seed = static_cast<std::uint64_t>(o.run.machine.seed),
                                       .replay = replay},
                                      machine, mpi, processes, load, context.log);
    if (mpi.rank() == 0) {
      fmt::print("{}", text);
    }
    return ExitStatus::done;
  }

  training->check_inputs(digests);
  RoleModels models = collectively(world, load);
  PpoTrainer trainer({.log = context.log,
                      .machine = machine,
                      .world = world,
                      .run = *training,
                      .layout = layout,
                      .processes = processes,
                      .models = models,
                      .policy = heads.policy.config,
                      .prompts = inputs.prompts.examples,
                      .shown = shown,
                      .options = o.ppo,
                      .train = o.train,
                      .max_response_tokens = o.data.max_response_tokens,
                      .replay = replay});
  if (training->resave()) {
    trainer.resave();
    return ExitStatus::done;
  }
  const ExitStatus status = trainer.train();
  log_peak_memory(context.log, world, machine.device.memory());
  if (status == ExitStatus::done) {
    trainer.save_final();
  }
  training->end_launch();
  if (status == ExitStatus::done) {
    context.log.info("The policy is in {}, the value network in {}.",
                     training->file("policy.h5").string(), training->file("value.h5").string());
  }
  return status;
}

}  // namespace

Command ppo_command() {
  return make_command<PpoCommand>("ppo", "improve a policy by PPO against a reward model", Mpi::yes,
                                  add_options, run);
}

}  // namespace precis
