// `precis reward`: a reward model from human comparisons.
#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/equal_summaries.hpp"
#include "commands/model_input.hpp"
#include "eval/reward_report.hpp"
#include "io/handed_files.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/watchdog.hpp"
#include "train/busy_cores.hpp"
#include "train/input_digests.hpp"
#include "train/plan.hpp"
#include "train/reward_model.hpp"

namespace precis {
namespace {

constexpr const char* final_model = "model.h5";

struct RewardOptions {
  std::string model;
  std::string part;
  RunOptions run;
  DataOptions data;
  TrainOptions train;
  CheckpointOptions checkpoint;
};

void add_options(OptionTable& table, RewardOptions& o) {
  table.add("model", &o.model,
            {.meaning = "model to start from: a language model gets a new head, a reward model "
                        "keeps its own",
             .required = true});
  table.add("part", &o.part,
            {.meaning = "part of a checkpoint to start from; empty: its policy or only model"});
  add_run_options(table, o.run);
  add_data_options(table, o.data, DataUse::reward);
  add_train_options(table, o.train, TrainUse::reward);
  add_checkpoint_options(table, o.checkpoint);
}

void check_keys(const OptionTable& table, RewardOptions& o) {
  if (!table.given("train.keep") && !o.data.valid.empty()) {
    o.train.keep = KeepModel::best;
  }
  if (o.train.keep == KeepModel::best && o.data.valid.empty()) {
    fail_usage("train.keep = best needs data.valid, by which the best model is chosen.");
  }
  if (!o.data.valid_split.empty() && o.data.valid.empty()) {
    fail_usage(
        "data.valid_split is {}, but data.valid was not given. Give it the file with these "
        "comparisons, which may be that of data.train.",
        o.data.valid_split);
  }
}

/// The model that training starts from: of kind reward, without shift.
Model start_model(const RewardOptions& o, Device& device, Log& log) {
  Model model = load_model(device, o.model, {ModelKind::language, ModelKind::reward}, o.part);
  set_begin_token(model, o.data.begin, o.model);
  if (model.config.kind == ModelKind::language) {
    return with_scalar_head(device, model, ModelKind::reward,
                            static_cast<std::uint64_t>(o.run.machine.seed));
  }
  log.info("{} is a reward model: its head is kept, its shift of {:.4g} dropped.", o.model,
           model.config.reward_shift);
  model.config.reward_shift = 0;
  return model;
}

struct Comparisons {
  Pairs train, valid;
};

Comparisons read_comparisons(const RewardOptions& o, const HandedFiles& handed,
                             const Tokenizer& tokenizer, std::int64_t context, Log& log) {
  Comparisons pairs;
  pairs.train = read_pairs(o.data.train, o.data.train_split, RowUse::training, o.data, tokenizer,
                           context, handed);
  log.info("Training comparisons, {}: {}", joined(o.data.train, ","),
           pairs.train.counts.describe());
  warn_of_equal_summaries(pairs.train, joined(o.data.train, ","), log);
  if (!o.data.valid.empty()) {
    pairs.valid = read_pairs(o.data.valid, o.data.valid_split, RowUse::validation, o.data,
                             tokenizer, context, handed);
    require(!pairs.valid.pairs.empty(), "{}: no comparison is left to validate on. {}",
            joined(o.data.valid, ","), pairs.valid.counts.describe());
    log.info("Validation comparisons, {}: {}", joined(o.data.valid, ","),
             pairs.valid.counts.describe());
    warn_of_equal_summaries(pairs.valid, joined(o.data.valid, ","), log);
  }
  return pairs;
}

/// What the run is begun with.
std::map<std::string, std::string> digests_of(const RewardOptions& o, const Comparisons& pairs,
                                              bool goes_on, Log& log) {
  std::map<std::string, std::string> digests{
      {"data.train", digest_of(pairs.train.pairs)},
      {"data.valid", digest_of(pairs.valid.pairs)},
      {"data.worker_weights", digest_of_weights(pairs.train.pairs)}};
  if (is_at_hand("model", o.model, goes_on, log)) {
    digests["model"] = digest_of_model(o.model);
  }
  return digests;
}

TrainingPlan plan_of(const RewardOptions& o, Model& model, const Comparisons& pairs) {
  TrainingPlan plan{.model = model,
                    .train = o.train,
                    .seed = static_cast<std::uint64_t>(o.run.machine.seed),
                    .lengths = {},
                    .validation_rows = std::ssize(pairs.valid.pairs),
                    .make_objective = [&](Machine& machine, const Model& of, RankGroup& ranks) {
                      return std::make_unique<RewardObjective>(machine, of, ranks,
                                                               pairs.train.pairs, pairs.valid.pairs,
                                                               o.train.micro_batch_tokens);
                    }};
  for (const Pair& pair : pairs.train.pairs) {
    plan.lengths.push_back(pair.tokens());
  }
  return plan;
}

/// The mean reward of the reference summaries, of validation if it has some, else of training
/// (RECIPE, small print); 0, saying so, if there are none. `valid` are the rewards of validation.
double reference_shift(const Comparisons& pairs, std::span<const std::array<float, 2>> valid,
                       const std::function<std::vector<std::array<float, 2>>()>& train, Log& log) {
  const char* where = "data.valid";
  std::optional<double> mean = reference_mean(pairs.valid.pairs, valid);
  if (!mean) {
    where = "data.train";
    mean = reference_mean(pairs.train.pairs, train());
  }
  if (!mean) {
    log.info(
        "No comparison has a summary of policy \"ref\": the rewards are not shifted, so that their "
        "zero means nothing.");
    return 0;
  }
  log.info("The mean reward of the reference summaries of {} is {:.4g}; it becomes 0 by the shift.",
           where, *mean);
  return *mean;
}

ExitStatus run(Context& context, RewardOptions& o) {
  MpiSession& mpi = *context.mpi;
  RankGroup& world = mpi.world();
  apply(o.run.log, mpi.rank(), context.log);
  const HandedFiles handed(mpi,
                           joined_lists({o.data.train, o.data.valid, {o.data.worker_weights}}));
  const Watchdog watchdog(mpi, o.run.machine.watchdog_seconds);
  Machine machine = collectively(world, [&] {
    check_keys(context.options, o);
    const GridShape grid = data_parallel_grid(o.run.machine, mpi);
    return start_machine(o.run.machine, mpi, context.log, to_string(grid));
  });
  warn_of_busy_cores(machine.threads, mpi.node_size(), context.log);
  std::optional<TrainingRun> training_run;
  if (!o.run.dry_run) {
    training_run.emplace(TrainingRun::Setup{.log = context.log,
                                            .options = context.options,
                                            .world = world,
                                            .run = o.run,
                                            .checkpoint = o.checkpoint,
                                            .stop_after = o.train.stop_after,
                                            .command = context.command,
                                            .layout = machine.layout,
                                            .final_files = {final_model}});
    training_run->check_deck();
    if (is_complete(*training_run, o.train)) {
      return ExitStatus::done;
    }
  }
  const bool goes_on = training_run && training_run->checkpoint();
  Model model = collectively(world, [&] {
    return goes_on ? load_model(machine.device, *training_run->checkpoint(), {ModelKind::reward},
                                trained_part)
                   : start_model(o, machine.device, context.log);
  });
  const Comparisons pairs = collectively(world, [&] {
    return read_comparisons(o, handed, required_tokenizer(model, o.model), model.config.context,
                            context.log);
  });
  const auto digests =
      collectively(world, [&] { return digests_of(o, pairs, goes_on, context.log); });
  auto agreed = digests;
  agreed["data.train's posts and policies"] = digest_of_labels(pairs.train.pairs);
  agreed["data.valid's posts and policies"] = digest_of_labels(pairs.valid.pairs);
  agree_on_start(world, agreed, goes_on);
  if (o.run.dry_run) {
    const std::string text = describe(plan_of(o, model, pairs), machine, mpi, context.log);
    if (world.rank() == 0) {
      fmt::print("{}", text);
    }
    return ExitStatus::done;
  }

  training_run->check_inputs(digests);
  std::optional<RewardObjective> objective;
  std::optional<SupervisedTraining> training;
  MpiCommunicator data_parallel(world);
  collectively(world, [&] {
    objective.emplace(machine, model, world, pairs.train.pairs, pairs.valid.pairs,
                      o.train.micro_batch_tokens);
    training.emplace(machine, *training_run, data_parallel, model, *objective, o.train);
  });
  const auto status = training->run_to_end();
  log_peak_memory(context.log, world, machine.device.memory());
  if (status) {
    return *status;
  }

  const auto rewards_of = [&](const std::vector<Pair>& of) {
    return pair_rewards(machine.device, model.config, training->kept(), world, of,
                        o.train.micro_batch_tokens);
  };
  const auto rewards = rewards_of(pairs.valid.pairs);
  ModelConfig config = model.config;
  config.reward_shift = reference_shift(
      pairs, rewards, [&] { return rewards_of(pairs.train.pairs); }, context.log);
  const auto path = training_run->file(final_model);
  collectively(world, [&] {
    if (world.rank() == 0) {
      save_model(path, config, model.tokenizer, training->kept(), machine.device);
    }
  });
  if (world.rank() == 0 && !rewards.empty()) {
    fmt::print("Validation of the model that is kept:\n{}",
               to_text(report_rewards(pairs.valid.pairs, rewards)));
  }
  context.log.info("The model is in {}.", path.string());
  return ExitStatus::done;
}

}  // namespace

Command reward_command() {
  return make_command<RewardOptions>("reward", "train a reward model on human comparisons",
                                     Mpi::yes, add_options, run);
}

}  // namespace precis
