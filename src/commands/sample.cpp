// `precis sample`: summaries that a language model writes.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/progress.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/model_input.hpp"
#include "commands/model_on_rows.hpp"
#include "commands/row_output.hpp"
#include "data/response_text.hpp"
#include "data/step_rows.hpp"
#include "io/jsonl.hpp"
#include "model/generator.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

struct SampleOptions : ModelOnRowsOptions {
  std::string prompt;
  double temperature = 0;
  std::int64_t top_k = 0;
  double top_p = 1;
  std::int64_t max_new_tokens = 48;
  std::int64_t n = 1;
  bool padded_vocabulary = false;
  std::int64_t max_sequences = 64;
};

void add_options(OptionTable& table, SampleOptions& o) {
  table.add("model", &o.model,
            {.meaning = "language model, or a checkpoint with one",
             .required = true,
             .file = FileUse::input});
  table.add("part", &o.part,
            {.meaning = "part of a checkpoint to use; empty: its policy or only model"});
  table.add("input", &o.input,
            {.meaning = "TL;DR or CNN/DM rows, or rows with a prompt or prompt_ids (JSON Lines)",
             .file = FileUse::input});
  table.add("prompt", &o.prompt,
            {.meaning = "a prompt in place of input and output: what follows it is printed"});
  table.add("output", &o.output,
            {.meaning = "one line per sample, in the order of the input (JSON Lines); a name that "
                        "ends in .gz is compressed",
             .file = FileUse::output});
  add_machine_options(table, o.machine);
  add_tensor_parts_option(table, o.tensor_parts);
  add_log_options(table, o.log);
  add_data_options(table, o.data, DataUse::rows);
  table.add("sampling.temperature", &o.temperature,
            {.meaning = fmt::format("of the softmax; 0, or anything below {}: always the most "
                                    "likely token, with log-probs at temperature 1",
                                    smallest_temperature),
             .source = "Stiennon 2020: evaluation",
             .maximum = 1e6});
  table.add("sampling.top_k", &o.top_k,
            {.unit = "tokens",
             .meaning = "sample among the most likely only; 0: among all",
             .source = "precis",
             .maximum = 1e9});
  table.add("sampling.top_p", &o.top_p,
            {.meaning = "sample among the most likely whose share reaches this; 1: among all",
             .source = "precis",
             .maximum = 1,
             .above = 0});
  table.add("sampling.max_new_tokens", &o.max_new_tokens,
            {.unit = "tokens",
             .meaning = "of a response at most, end token included",
             .source = "Stiennon 2020",
             .minimum = 1,
             .maximum = 1e9});
  table.add("sampling.n", &o.n,
            {.unit = "samples",
             .meaning = "of each prompt",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
  table.add("sampling.padded_vocabulary", &o.padded_vocabulary,
            {.meaning = "also sample ids that the tokenizer has no token for, where the model's "
                        "vocabulary is padded beyond it",
             .source = "precis"});
  table.add(
      "sampling.max_sequences", &o.max_sequences,
      {.meaning = "generated at the same time by a copy of the model; the samples do not depend "
                  "on it",
       .source = "precis",
       .minimum = 1,
       .maximum = 1e6});
}

void check_keys(const SampleOptions& o) {
  if (o.prompt.empty() && (o.input.empty() || o.output.empty())) {
    fail_usage("Give --input rows and --output a file for the samples, or --prompt a text.");
  }
  if (!o.prompt.empty() && (!o.input.empty() || !o.output.empty())) {
    fail_usage(
        "--prompt replaces --input and --output: its samples are printed. Give one or the other.");
  }
  if (const auto at = invalid_utf8_at(o.prompt)) {
    fail_usage("--prompt is not UTF-8: its byte {} is invalid. Give it as UTF-8 text.", *at + 1);
  }
}

void check_model(const SampleOptions& o, const Model& model) {
  (void)model.config.end_token();
  if (o.max_new_tokens >= model.config.context) {
    fail_usage(
        "sampling.max_new_tokens is {}, but {} has a context of {} tokens for prompt and response "
        "together.",
        o.max_new_tokens, o.model, model.config.context);
  }
}

std::vector<PromptRow> read_prompts(const SampleOptions& o, const HandedFiles& handed,
                                    const ModelConfig& config, const Tokenizer* tokenizer,
                                    Log& log) {
  if (o.prompt.empty()) {
    return without_bad_rows(read_prompt_rows(handed.of(o.input), tokenizer,
                                             {.with_response = false,
                                              .context = config.context,
                                              .new_tokens = o.max_new_tokens,
                                              .max_query_tokens = o.data.max_query_tokens,
                                              .vocabulary = config.vocabulary,
                                              .query_template = o.data.query_template,
                                              .skip_bad = o.data.skip_bad}),
                            o.input, log);
  }
  require(tokenizer != nullptr, "{} has no tokenizer, which --prompt needs.", o.model);
  PromptRow row{.id = "0", .prompt_ids = tokenizer->encode_beginning(o.prompt), .response_ids = {}};
  const auto most = config.context - o.max_new_tokens;
  require(static_cast<std::int64_t>(row.prompt_ids.size()) <= most,
          "The prompt has {} tokens; with {} new ones at most {} fit the model's context of {}.",
          row.prompt_ids.size(), o.max_new_tokens, most, config.context);
  return {row};
}

void check_count(const SampleOptions& o, std::size_t rows) {
  constexpr std::int64_t most = 100'000'000;
  if (const auto count = static_cast<std::int64_t>(rows) * o.n; count > most) {
    fail_usage(
        "sampling.n is {}, which for {} are {}; one launch takes at most {}. Give a smaller n, or "
        "fewer rows.",
        o.n, counted(static_cast<std::int64_t>(rows), "row"), counted(count, "sample"),
        with_thousands(most));
  }
}

/// The samples of `mine`, the rows of this rank's copy of the model; those of a row by index.
std::vector<Generated> generate(const SampleOptions& o, const Model& model, Machine& machine,
                                ProcessGrid& grid, const std::vector<PromptRow>& rows,
                                std::span<const std::int64_t> mine, std::int64_t sampled_vocabulary,
                                Log& log) {
  std::vector<Prompt> prompts;
  std::map<std::int64_t, std::size_t> place;  // of an episode's sample in the result
  for (const std::int64_t row : mine) {
    Prompt prompt{rows[static_cast<std::size_t>(row)].prompt_ids, {}};
    for (std::int64_t index = 0; index < o.n; ++index) {
      prompt.episodes.push_back(row * o.n + index);
      place.emplace(prompt.episodes.back(), place.size());
    }
    prompts.push_back(std::move(prompt));
  }
  const GenerationRule rule{.sampling = {.seed = static_cast<std::uint64_t>(o.machine.seed),
                                         .temperature = o.temperature,
                                         .top_k = o.top_k,
                                         .top_p = o.top_p,
                                         .sampled_vocabulary = sampled_vocabulary},
                            .max_new_tokens = o.max_new_tokens,
                            .max_sequences = o.max_sequences};
  std::vector<Generated> samples(place.size());
  const Stopwatch watch;
  std::int64_t done = 0;
  std::int64_t tokens = 0;
  Progress progress(log, grid.shape().dp == 1 ? "sampling" : "sampling, rank 0's part", 0,
                    static_cast<std::int64_t>(samples.size()), o.log.every_seconds, "sample");
  Generator generator(machine.device, model.config, model.parameters);
  generator.run(
      model.parameters, prompts, rule,
      [&](Generated&& sample) {
        tokens += static_cast<std::int64_t>(sample.response.size());
        progress.report(++done,
                        {.tokens_per_second = static_cast<double>(tokens) / watch.seconds()});
        samples[place.at(sample.episode)] = std::move(sample);
      },
      [&] { grid.whole().progress().tick("sampling"); });
  return samples;
}

/// The response as text without its end token; null for a model without a tokenizer.
nlohmann::ordered_json text_of(const Generated& sample, const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) {
    return nullptr;
  }
  std::span<const std::int32_t> ids = sample.response;
  return response_text(*tokenizer, sample.ended ? ids.first(ids.size() - 1) : ids);
}

std::string sample_line(const Generated& sample, const PromptRow& row, std::int64_t index,
                        const Tokenizer* tokenizer) {
  return to_line({{"id", row.id},
                  {"index", index},
                  {"prompt_ids", row.prompt_ids},
                  {"response_ids", sample.response},
                  {"response", text_of(sample, tokenizer)},
                  {"logprobs", float_array(sample.logprobs)},
                  {"finish", sample.ended ? "eos" : "length"}});
}

ExitStatus run(Context& context, SampleOptions& o) {
  RankGroup& world = context.mpi->world();
  ModelOnRows start(context, o, {ModelKind::language}, [&] { check_keys(o); });
  Machine& machine = start.machine();
  const Model& model = start.model();
  collectively(world, [&] { check_model(o, model); });
  const auto tokenizer =
      collectively(world, [&] { return tokenizer_of(model, o.data.begin, o.model); });
  const Tokenizer* const text = tokenizer ? &*tokenizer : nullptr;
  const auto rows = collectively(world, [&] {
    auto read = read_prompts(o, start.handed(), model.config, text, context.log);
    check_count(o, read.size());
    return read;
  });
  start.agree_on(rows);
  std::optional<RowOutput> output;
  if (o.prompt.empty()) {
    output.emplace(world, o.output);
  }

  std::vector<std::int64_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  const auto mine = rank_part(all, start.grid().coordinates().dp, start.grid().shape().dp);
  const std::int64_t sampled_vocabulary =
      text == nullptr || o.padded_vocabulary ? 0 : unpadded(model.config, text->vocabulary());
  // Ranks that share the model meet in it, so an error of one of them ends the job.
  auto samples =
      generate(o, model, machine, start.grid(), rows, mine, sampled_vocabulary, context.log);
  collectively(world, [&] {
    for (const Generated& sample : samples) {
      const PromptRow& row = rows[static_cast<std::size_t>(sample.episode / o.n)];
      require_finite_results(
          sample.logprobs, "log-probs", o.model,
          o.prompt.empty() ? fmt::format("{}:{}", o.input, row.line) : "--prompt");
    }
  });
  if (!start.grid().is_leader()) {
    samples.clear();  // The leader of the ranks that sampled them together gives them.
  }
  log_peak_memory(context.log, world, machine.device.memory());
  if (!output) {
    for (const Generated& sample : samples) {
      fmt::print("{}\n", text_of(sample, text).get<std::string>());
    }
    return ExitStatus::done;
  }
  std::vector<std::string> lines;
  for (const Generated& sample : samples) {
    const PromptRow& row = rows[static_cast<std::size_t>(sample.episode / o.n)];
    lines.push_back(sample_line(sample, row, sample.episode % o.n, text));
  }
  output->finish(lines);
  const auto count = static_cast<std::int64_t>(rows.size());
  context.log.info("{} of {}{} written to {} in {}.", counted(count * o.n, "sample"),
                   counted(count, "row"),
                   o.n > 1 ? fmt::format(" ({} of each)", with_thousands(o.n)) : "", o.output,
                   duration_text(start.seconds()));
  return ExitStatus::done;
}

}  // namespace

Command sample_command() {
  return make_command<SampleOptions>("sample", "write summaries with a language model", Mpi::yes,
                                     add_options, run);
}

}  // namespace precis
