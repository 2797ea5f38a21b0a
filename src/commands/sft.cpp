// `precis sft`: supervised fine-tuning.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/model_input.hpp"
#include "commands/supervised_command.hpp"
#include "io/handed_files.hpp"
#include "parallel/collectively.hpp"
#include "train/input_digests.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

struct SftOptions : SupervisedOptions {
  std::string tokenizer;
  SftLoss loss = SftLoss::response;
  ModelConfig config;
};

void add_options(OptionTable& table, SftOptions& o) {
  table.add("model", &o.model,
            {.meaning = "language model to start from; empty: random weights by the keys model.*"});
  table.add("part", &o.part,
            {.meaning = "part of a checkpoint to start from; empty: its policy or only model"});
  table.add("tokenizer", &o.tokenizer,
            {.meaning = "tokenizer of a model with random weights (tokenizer.json, a folder or a "
                        "model file)"});
  add_run_options(table, o.run);
  add_data_options(table, o.data, DataUse::sft);
  table.add("sft.loss", &o.loss, {{"response", SftLoss::response}, {"all", SftLoss::all}},
            {.meaning = "tokens whose loss is the mean: the summary's, or the query's as well",
             .source = "Stiennon 2020: response"});
  add_train_options(table, o.train, TrainUse::sft);
  add_checkpoint_options(table, o.checkpoint);
  add_model_options(table, o.config);
}

/// The current values, as text, of the `model.` keys that the user gave.
std::map<std::string, std::string> given_model_keys(const OptionTable& table) {
  std::map<std::string, std::string> keys;
  for (const Option& option : table.options()) {
    if (option.key.starts_with("model.") && table.given(option.key)) {
      keys.emplace(option.key, option.text());
    }
  }
  return keys;
}

void check_keys(const SftOptions& o) {
  if (o.model.empty() && o.tokenizer.empty()) {
    fail_usage(
        "Neither --model nor --tokenizer was given. Give --model a language model to start from, "
        "or --tokenizer the tokenizer of a model with random weights (`precis tokenizer` trains "
        "one), whose shape the keys model.* describe.");
  }
  if (!o.model.empty() && !o.tokenizer.empty()) {
    fail_usage("Both --model {} and --tokenizer {} were given; a model brings its own tokenizer.",
               o.model, o.tokenizer);
  }
  if (o.model.empty() && !o.part.empty()) {
    fail_usage("--part {} was given without --model.", o.part);
  }
  if (o.train.keep == KeepModel::best && o.data.valid.empty()) {
    fail_usage("train.keep = best needs data.valid, by which the best model is chosen.");
  }
}

/// The `model.` keys describe a model with random weights, but for what its tokenizer says.
void complete_config(SftOptions& o, std::int64_t vocabulary, std::vector<std::int32_t> end_tokens) {
  o.config.vocabulary = vocabulary;
  o.config.end_tokens = std::move(end_tokens);
  try {
    complete(o.config);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

/// The `model.` keys are made to describe a given model, so that the effective deck does; one that
/// was given and says something else is an error.
void take_config(const OptionTable& table, SftOptions& o, const ModelConfig& config) {
  const auto given = given_model_keys(table);
  o.config = config;
  for (const auto& [key, text] : given) {
    if (table.text(key) != text) {
      fail_usage("{} is {}, but the model {} has {}. Leave the keys model.* out with --model.", key,
                 text, o.model, table.text(key));
    }
  }
}

/// The model that training starts from.
Model start_model(const OptionTable& table, SftOptions& o, const HandedFiles& handed,
                  Device& device, const ModelRanks& ranks) {
  if (o.model.empty()) {
    const Tokenizer tokenizer =
        with_begin_token(Tokenizer::load(handed.of(o.tokenizer)), o.data.begin, o.tokenizer);
    complete_config(o, tokenizer.vocabulary(), {tokenizer.end_token()});
    const std::string& json = tokenizer.to_json();
    return make_model(device, o.config, {json.begin(), json.end()},
                      static_cast<std::uint64_t>(o.run.machine.seed), ranks);
  }
  Model model = load_model(device, o.model, {ModelKind::language}, o.part, ranks);
  take_config(table, o, model.config);
  set_begin_token(model, o.data.begin, o.model);
  return model;
}

/// The `model.` keys of a run that goes on or is finished: they are taken from its checkpoint or
/// its final model.
void continue_config(const OptionTable& table, SftOptions& o, const ModelReader& model) {
  const ModelConfig config = load_model_head(model, {ModelKind::language}).config;
  if (o.model.empty()) {
    complete_config(o, config.vocabulary, config.end_tokens);
  } else {
    take_config(table, o, config);
  }
}

struct Rows {
  Examples train, valid;
};

/// Collective.
Rows read_rows(const SftOptions& o, const HandedFiles& handed, const Tokenizer& tokenizer,
               std::int64_t context, RankGroup& world, Log& log) {
  Rows rows;
  rows.train =
      read_examples(o.data.train, RowUse::training, o.data, tokenizer, context, handed, &world);
  log.info("Training rows, {}: {}", joined(o.data.train, ","), rows.train.counts.describe());
  if (!o.data.valid.empty()) {
    rows.valid =
        read_examples(o.data.valid, RowUse::validation, o.data, tokenizer, context, handed, &world);
    collectively(world, [&] {
      require(!rows.valid.examples.empty(), "{}: no row is left to validate on. {}",
              joined(o.data.valid, ","), rows.valid.counts.describe());
    });
    log.info("Validation rows, {}: {}", joined(o.data.valid, ","), rows.valid.counts.describe());
  }
  return rows;
}

/// What the run is begun with.
std::map<std::string, std::string> digests_of(const SftOptions& o, const HandedFiles& handed,
                                              const Rows& rows, bool goes_on, Log& log) {
  std::map<std::string, std::string> digests{{"data.train", digest_of(rows.train.examples)},
                                             {"data.valid", digest_of(rows.valid.examples)}};
  if (is_at_hand("model", o.model, goes_on, log)) {
    digests["model"] = o.model.empty() ? "" : digest_of_model(o.model);
  }
  if (handed.has(o.tokenizer) || is_at_hand("tokenizer", o.tokenizer, goes_on, log)) {
    digests["tokenizer"] = o.tokenizer.empty()
                               ? ""
                               : digest_of_text(Tokenizer::load(handed.of(o.tokenizer)).to_json());
  }
  return digests;
}

class SftCommand final : public SupervisedCommand {
 public:
  SftCommand(const Context& context, SftOptions& options)
      : SupervisedCommand({.kind = ModelKind::language, .model_completes_keys = true}),
        context_(context),
        options_(options) {}

  void check_keys() override { precis::check_keys(options_); }
  void take_keys(const ModelReader& model) override {
    continue_config(context_.options, options_, model);
  }
  [[nodiscard]] Model start_model(const HandedFiles& handed, Device& device,
                                  const ModelRanks& ranks) override {
    return precis::start_model(context_.options, options_, handed, device, ranks);
  }
  void read_rows(const HandedFiles& handed, const Model& model, RankGroup& world) override {
    const auto& source = options_.model.empty() ? options_.tokenizer : options_.model;
    const Tokenizer tokenizer =
        collectively(world, [&] { return required_tokenizer(model, source); });
    rows_ =
        precis::read_rows(options_, handed, tokenizer, model.config.context, world, context_.log);
  }
  [[nodiscard]] SupervisedDigests digests(const HandedFiles& handed, bool goes_on) override {
    return {.inputs = digests_of(options_, handed, rows_, goes_on, context_.log), .others = {}};
  }
  [[nodiscard]] TrainingPlan plan(Model& model) override;

 private:
  const Context& context_;
  SftOptions& options_;
  Rows rows_;
};

TrainingPlan SftCommand::plan(Model& model) {
  TrainingPlan plan{.model = model,
                    .train = options_.train,
                    .seed = static_cast<std::uint64_t>(options_.run.machine.seed),
                    .lengths = {},
                    .validation_rows = std::ssize(rows_.valid.examples),
                    .make_objective = [this](Machine& machine, const Model& on, RankGroup& ranks) {
                      return std::make_unique<SftObjective>(
                          machine, on, ranks, rows_.train.examples, rows_.valid.examples,
                          options_.loss, options_.train.micro_batch_tokens);
                    }};
  for (const Example& example : rows_.train.examples) {
    plan.lengths.push_back(std::ssize(example.tokens()));
  }
  return plan;
}

ExitStatus run(Context& context, SftOptions& o) {
  SftCommand command(context, o);
  return run_supervised(context, o, joined_lists({{o.tokenizer}, o.data.train, o.data.valid}),
                        command);
}

}  // namespace

Command sft_command() {
  return make_command<SftOptions>("sft", "fine-tune a language model on human summaries", Mpi::yes,
                                  add_options, run);
}

}  // namespace precis
