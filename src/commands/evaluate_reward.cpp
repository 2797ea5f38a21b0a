// `precis evaluate reward`: how often a reward model agrees with comparisons.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/equal_summaries.hpp"
#include "commands/intervals.hpp"
#include "commands/model_input.hpp"
#include "eval/reward_report.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/repeated_judgements.hpp"
#include "io/handed_files.hpp"
#include "io/jsonl.hpp"
#include "parallel/collectively.hpp"
#include "parallel/watchdog.hpp"
#include "train/input_digests.hpp"
#include "train/reward_model.hpp"

namespace precis {
namespace {

struct EvaluateRewardOptions {
  std::string model;
  std::string part;
  std::vector<std::string> input;
  std::string split;
  std::string output;
  std::string json;
  MachineOptions machine;
  LogOptions log;
  DataOptions data;
  std::int64_t micro_batch_tokens = 8192;
  std::int64_t tensor_parts = 0;  ///< exact.tensor_parts; 0: not given
};

void add_options(OptionTable& table, EvaluateRewardOptions& o) {
  table.add("model", &o.model,
            {.meaning = "reward model, or a checkpoint with one",
             .required = true,
             .file = FileUse::input});
  table.add("part", &o.part,
            {.meaning = "part of a checkpoint to use; empty: its policy or only model"});
  table.add("input", &o.input,
            {.meaning = "comparisons, names or globs separated by commas",
             .required = true,
             .file = FileUse::input});
  table.add("split", &o.split, {.meaning = "use the comparisons of this `split` only; empty: all"});
  table.add(
      "output", &o.output,
      {.meaning = "one line per comparison with the pair's name, whether its summaries are not "
                  "in alphabetical order, both rewards and, where the post is from the "
                  "embedded data set, gold scores (JSON Lines); empty: not written",
       .file = FileUse::output});
  table.add("json", &o.json, {.meaning = json_with_intervals("table"), .file = FileUse::output});
  add_machine_options(table, o.machine);
  add_tensor_parts_option(table, o.tensor_parts);
  add_log_options(table, o.log);
  add_data_options(table, o.data, DataUse::rows);
  table.add("score.micro_batch_tokens", &o.micro_batch_tokens,
            {.unit = "tokens",
             .meaning = "that pass through the model at a time, on each rank",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
}

void write_rows(JsonlWriter& file, const std::vector<Pair>& pairs,
                const std::vector<std::array<float, 2>>& rewards) {
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Comparison& comparison = pairs[i].comparison;
    nlohmann::ordered_json row{
        {"id", comparison.post.id},
        {"pair", pair_id(comparison)},
        {"swapped", trimmed(comparison.summaries[0]) > trimmed(comparison.summaries[1])},
        {"policies", comparison.policies},
        {"choice", comparison.choice},
        {"rewards", {shortest(rewards[i][0]), shortest(rewards[i][1])}}};
    if (const auto gold = gold_scores(comparison)) {
      row["gold"] = {(*gold)[0].overall, (*gold)[1].overall};
    }
    file.write(row);
  }
  file.commit();
}

ExitStatus run(Context& context, EvaluateRewardOptions& o) {
  MpiSession& mpi = *context.mpi;
  RankGroup& world = mpi.world();
  apply(o.log, mpi.rank(), context.log);
  const HandedFiles handed(mpi, o.input);
  const Watchdog watchdog(mpi, o.machine.watchdog_seconds);
  GridShape shape;
  Machine machine = collectively(world, [&] {
    shape = grid_of(o.machine, mpi);
    return start_machine(o.machine, mpi, context.log, to_string(shape));
  });
  ProcessGrid grid(world.duplicate("model"), shape, "model");
  const Model model = collectively(world, [&] {
    const ModelRanks ranks = model_ranks(grid, "", tensor_parts_of(o.tensor_parts, shape.tp));
    return load_model(machine.device, o.model, {ModelKind::reward}, o.part, ranks);
  });
  const Tokenizer tokenizer = collectively(world, [&] {
    return with_begin_token(required_tokenizer(model, o.model), o.data.begin, o.model);
  });
  const Pairs pairs = read_pairs(o.input, o.split, RowUse::validation, o.data, tokenizer,
                                 model.config.context, handed, &world);
  collectively(world, [&] {
    require(!pairs.pairs.empty(), "{}: no comparison is left to evaluate on. {}",
            joined(o.input, ","), pairs.counts.describe());
  });
  context.log.info("Comparisons, {}: {}", joined(o.input, ","), pairs.counts.describe());
  warn_of_equal_summaries(pairs, joined(o.input, ","), context.log);
  agree_on_inputs(world, collectively(world, [&] {
                    return std::map<std::string, std::string>{
                        {"model", digest_of_model(o.model)},
                        {"input", digest_of(pairs.pairs)},
                        {"input's posts and policies", digest_of_labels(pairs.pairs)}};
                  }));
  // A file that cannot be written is an error before the work, not after it.
  std::optional<JsonlWriter> rows, table;
  collectively(world, [&] {
    if (world.rank() == 0 && !o.output.empty()) {
      rows.emplace(o.output);
    }
    if (world.rank() == 0 && !o.json.empty()) {
      table.emplace(o.json);
    }
  });
  const auto rewards = pair_rewards(machine.device, model.config, model.parameters,
                                    grid.dp().group(), pairs.pairs, o.micro_batch_tokens);
  collectively(world, [&] {
    if (world.rank() != 0) {
      return;
    }
    for (std::size_t i = 0; i < rewards.size(); ++i) {
      require_finite_results(rewards[i], "rewards", o.model, pairs.pairs[i].comparison.where());
    }
    const RewardReport report = report_rewards(pairs.pairs, rewards);
    if (rows) {
      write_rows(*rows, pairs.pairs, rewards);
    }
    if (table) {
      table->write(to_json(report));
      table->commit();
    }
    if (report.repeated > 0) {
      context.log.warning("{}", repeated_text(report.repeated));
    }
    fmt::print("Intervals are of 95% over posts; equal rewards count half.\n\n{}", to_text(report));
  });
  return ExitStatus::done;
}

}  // namespace

Command evaluate_reward_command() {
  return make_command<EvaluateRewardOptions>(
      "evaluate reward", "agreement of a reward model with comparisons and with gold", Mpi::yes,
      add_options, run);
}

}  // namespace precis
