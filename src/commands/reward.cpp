// `precis reward`: a reward model from human comparisons.
#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/equal_summaries.hpp"
#include "commands/model_input.hpp"
#include "commands/supervised_command.hpp"
#include "eval/reward_report.hpp"
#include "io/handed_files.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_session.hpp"
#include "train/input_digests.hpp"
#include "train/reward_model.hpp"

namespace precis {
namespace {

void add_options(OptionTable& table, SupervisedOptions& o) {
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

void check_keys(const OptionTable& table, SupervisedOptions& o) {
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
Model start_model(const SupervisedOptions& o, Device& device, const ModelRanks& ranks, Log& log) {
  Model model =
      load_model(device, o.model, {ModelKind::language, ModelKind::reward}, o.part, ranks);
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

/// Collective.
Comparisons read_comparisons(const SupervisedOptions& o, const HandedFiles& handed,
                             const Tokenizer& tokenizer, std::int64_t context, RankGroup& world,
                             Log& log) {
  Comparisons pairs;
  pairs.train = read_pairs(o.data.train, o.data.train_split, RowUse::training, o.data, tokenizer,
                           context, handed, &world);
  log.info("Training comparisons, {}: {}", joined(o.data.train, ","),
           pairs.train.counts.describe());
  warn_of_equal_summaries(pairs.train, joined(o.data.train, ","), log);
  if (!o.data.valid.empty()) {
    pairs.valid = read_pairs(o.data.valid, o.data.valid_split, RowUse::validation, o.data,
                             tokenizer, context, handed, &world);
    collectively(world, [&] {
      require(!pairs.valid.pairs.empty(), "{}: no comparison is left to validate on. {}",
              joined(o.data.valid, ","), pairs.valid.counts.describe());
    });
    log.info("Validation comparisons, {}: {}", joined(o.data.valid, ","),
             pairs.valid.counts.describe());
    warn_of_equal_summaries(pairs.valid, joined(o.data.valid, ","), log);
  }
  return pairs;
}

/// What the run is begun with.
std::map<std::string, std::string> digests_of(const SupervisedOptions& o, const Comparisons& pairs,
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

class RewardCommand final : public SupervisedCommand {
 public:
  RewardCommand(const Context& context, SupervisedOptions& options)
      : SupervisedCommand({.kind = ModelKind::reward, .model_completes_keys = false}),
        context_(context),
        options_(options) {}

  void check_keys() override { precis::check_keys(context_.options, options_); }
  [[nodiscard]] Model start_model(const HandedFiles& /*handed*/, Device& device,
                                  const ModelRanks& ranks) override {
    return precis::start_model(options_, device, ranks, context_.log);
  }
  void read_rows(const HandedFiles& handed, const Model& model, RankGroup& world) override {
    const Tokenizer tokenizer =
        collectively(world, [&] { return required_tokenizer(model, options_.model); });
    pairs_ =
        read_comparisons(options_, handed, tokenizer, model.config.context, world, context_.log);
  }
  [[nodiscard]] SupervisedDigests digests(const HandedFiles& /*handed*/, bool goes_on) override {
    return {.inputs = digests_of(options_, pairs_, goes_on, context_.log),
            .others = {{"data.train's posts and policies", digest_of_labels(pairs_.train.pairs)},
                       {"data.valid's posts and policies", digest_of_labels(pairs_.valid.pairs)}}};
  }
  [[nodiscard]] TrainingPlan plan(Model& model) override;
  [[nodiscard]] ModelConfig final_config(Device& device, ProcessGrid& grid, const Model& model,
                                         const Parameters& kept) override;
  void report() override;

 private:
  const Context& context_;
  SupervisedOptions& options_;
  Comparisons pairs_;
  std::vector<std::array<float, 2>> rewards_;  // of the validation pairs by the final model
};

TrainingPlan RewardCommand::plan(Model& model) {
  TrainingPlan plan{.model = model,
                    .train = options_.train,
                    .seed = static_cast<std::uint64_t>(options_.run.machine.seed),
                    .lengths = {},
                    .validation_rows = std::ssize(pairs_.valid.pairs),
                    .make_objective = [this](Machine& machine, const Model& on, RankGroup& ranks) {
                      return std::make_unique<RewardObjective>(
                          machine, on, ranks, pairs_.train.pairs, pairs_.valid.pairs,
                          options_.train.micro_batch_tokens);
                    }};
  for (const Pair& pair : pairs_.train.pairs) {
    plan.lengths.push_back(pair.tokens());
  }
  return plan;
}

ModelConfig RewardCommand::final_config(Device& device, ProcessGrid& grid, const Model& model,
                                        const Parameters& kept) {
  const auto rewards_of = [&](const std::vector<Pair>& pairs) {
    return pair_rewards(device, model.config, kept, grid.dp().group(), pairs,
                        options_.train.micro_batch_tokens);
  };
  rewards_ = rewards_of(pairs_.valid.pairs);
  ModelConfig config = model.config;
  config.reward_shift = reference_shift(
      pairs_, rewards_, [&] { return rewards_of(pairs_.train.pairs); }, context_.log);
  return config;
}

void RewardCommand::report() {
  if (!rewards_.empty()) {
    fmt::print("Validation of the model that is kept:\n{}",
               to_text(report_rewards(pairs_.valid.pairs, rewards_)));
  }
}

ExitStatus run(Context& context, SupervisedOptions& o) {
  RewardCommand command(context, o);
  return run_supervised(
      context, o, joined_lists({o.data.train, o.data.valid, {o.data.worker_weights}}), command);
}

}  // namespace

Command reward_command() {
  return make_command<SupervisedOptions>("reward", "train a reward model on human comparisons",
                                         Mpi::yes, add_options, run);
}

}  // namespace precis
