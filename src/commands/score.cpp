// `precis score`: log-probs, rewards or values of given responses.
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/model_input.hpp"
#include "commands/model_on_rows.hpp"
#include "commands/row_output.hpp"
#include "data/step_rows.hpp"
#include "io/jsonl.hpp"
#include "model/evaluator.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

struct ScoreOptions : ModelOnRowsOptions {
  bool append_end = true;
  std::int64_t micro_batch_tokens = 8192;
};

void add_options(OptionTable& table, ScoreOptions& o) {
  table.add("model", &o.model,
            {.meaning = "language, reward or value model, or a checkpoint with one",
             .required = true,
             .file = FileUse::input});
  table.add("part", &o.part,
            {.meaning = "part of a checkpoint to use; empty: its policy or only model"});
  table.add("input", &o.input,
            {.meaning = "TL;DR or CNN/DM rows, or rows with prompt and response, or prompt_ids and "
                        "response_ids (JSON Lines)",
             .required = true,
             .file = FileUse::input});
  table.add(
      "output", &o.output,
      {.meaning = "one line per row, in the order of the input (JSON Lines); a name that ends "
                  "in .gz is compressed",
       .required = true,
       .file = FileUse::output});
  add_machine_options(table, o.machine);
  add_tensor_parts_option(table, o.tensor_parts);
  add_log_options(table, o.log);
  add_data_options(table, o.data, DataUse::rows);
  table.add(
      "score.append_end", &o.append_end,
      {.meaning = "append the end token to a response that is given as text", .source = "precis"});
  table.add("score.micro_batch_tokens", &o.micro_batch_tokens,
            {.unit = "tokens",
             .meaning = "that pass through the model at a time, on each rank",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
}

std::vector<PromptRow> read_rows(const ScoreOptions& o, const HandedFiles& handed,
                                 const Model& model, Log& log) {
  const auto tokenizer = tokenizer_of(model, o.data.begin, o.model);
  return without_bad_rows(read_prompt_rows(handed.of(o.input), tokenizer ? &*tokenizer : nullptr,
                                           {.with_response = true,
                                            .append_end = o.append_end,
                                            .context = model.config.context,
                                            .max_query_tokens = o.data.max_query_tokens,
                                            .vocabulary = model.config.vocabulary,
                                            .query_template = o.data.query_template,
                                            .skip_bad = o.data.skip_bad}),
                          o.input, log);
}

/// The lines of these rows, in their order.
std::vector<std::string> score(Evaluator& evaluator, const Model& model, const ScoreOptions& o,
                               std::span<const PromptRow* const> rows) {
  std::vector<Sequence> sequences;
  for (const PromptRow* row : rows) {
    sequences.push_back({row->prompt_ids, row->response_ids});
  }
  std::vector<std::string> lines;
  const auto check = [&](std::span<const float> values, const char* results, std::size_t i) {
    require_finite_results(values, results, o.model, fmt::format("{}:{}", o.input, rows[i]->line));
  };
  const auto add = [&](std::size_t i, nlohmann::ordered_json result) {
    nlohmann::ordered_json line{{"id", rows[i]->id}};
    line.update(result);
    lines.push_back(to_line(line));
  };
  switch (model.config.kind) {
    case ModelKind::language: {
      const auto logprobs = evaluator.statistics(model.parameters, sequences, 1.0).logprobs;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        check(logprobs[i], "log-probs", i);
        add(i, {{"logprob", std::accumulate(logprobs[i].begin(), logprobs[i].end(), 0.0)},
                {"logprobs", float_array(logprobs[i])}});
      }
      break;
    }
    case ModelKind::reward: {
      const auto rewards = evaluator.rewards(model.parameters, sequences);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        check({&rewards[i], 1}, "rewards", i);
        add(i, {{"reward", shortest(rewards[i])}});
      }
      break;
    }
    case ModelKind::value: {
      const auto values = evaluator.values(model.parameters, sequences);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        check(values[i], "values", i);
        add(i, {{"values", float_array(values[i])}});
      }
      break;
    }
  }
  return lines;
}

ExitStatus run(Context& context, ScoreOptions& o) {
  RankGroup& world = context.mpi->world();
  ModelOnRows start(context, o, {ModelKind::language, ModelKind::reward, ModelKind::value}, [] {});
  Machine& machine = start.machine();
  const Model& model = start.model();
  const auto rows =
      collectively(world, [&] { return read_rows(o, start.handed(), model, context.log); });
  start.agree_on(rows);
  RowOutput output(world, o.output);

  const auto [begin, end] = part_of(static_cast<std::int64_t>(rows.size()),
                                    start.grid().coordinates().dp, start.grid().shape().dp);
  std::vector<const PromptRow*> mine;
  for (std::int64_t row = begin; row < end; ++row) {
    mine.push_back(&rows[static_cast<std::size_t>(row)]);
  }
  Evaluator evaluator(machine.device, model.config, model.parameters, o.micro_batch_tokens,
                      [&] { world.progress().tick("scoring"); });
  auto lines = collectively(world, [&] { return score(evaluator, model, o, mine); });
  if (!start.grid().is_leader()) {
    lines.clear();  // The leader of the ranks that scored them together gives them.
  }
  output.finish(lines);
  log_peak_memory(context.log, world, machine.device.memory());
  context.log.info("Scores written to {}: {}, in {}.", o.output,
                   counted(static_cast<std::int64_t>(rows.size()), "row"),
                   duration_text(start.seconds()));
  return ExitStatus::done;
}

}  // namespace

Command score_command() {
  return make_command<ScoreOptions>("score",
                                    "log-probs, rewards or values of given summaries by a model",
                                    Mpi::yes, add_options, run);
}

}  // namespace precis
