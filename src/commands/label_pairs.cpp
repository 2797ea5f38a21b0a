// `precis label pairs`: pairs of summaries for people, or simulated labelers, to compare.
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>

#include "commands/commands.hpp"
#include "commands/pair_source.hpp"
#include "eval/agreement.hpp"
#include "feedback/comparison_json.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct LabelPairsOptions {
  PairSource source;
  std::string output;
};

void add_options(OptionTable& table, LabelPairsOptions& options) {
  options.source.batch = "pairs";
  add_pair_source(table, options.source);
  table.add("output", &options.output,
            {.meaning = "comparisons in OpenAI's schema without a choice (JSON Lines)",
             .required = true,
             .file = FileUse::output});
}

ExitStatus run(Context& context, LabelPairsOptions& options) {
  const auto drawn = draw_pairs(options.source, context.options, context.log);
  JsonlWriter file(options.output);
  std::map<std::string, std::int64_t> kinds;
  std::int64_t valid = 0;
  for (const Comparison& pair : drawn.pairs) {
    file.write(pair_json(pair));
    ++kinds[policy_pair(pair)];
    valid += pair.split == "train" ? 0 : 1;
  }
  file.commit();

  fmt::print("{:<32} {:>8}\n", "policies", "pairs");
  for (const auto& [policies, count] : kinds) {
    fmt::print("{:<32} {:>8}\n", policies, count);
  }
  const auto found = static_cast<std::int64_t>(drawn.pairs.size());
  fmt::print("{:<32} {:>8}\n", "all", found);
  fmt::print(
      "{} pairs are of split train, {} of valid1; {} pairs of identical texts were skipped, and "
      "{} times a pair was drawn that was there already. Written to {}.\n",
      found - valid, valid, drawn.identical, drawn.repeated, options.output);
  return ExitStatus::done;
}

}  // namespace

Command label_pairs_command() {
  return make_command<LabelPairsOptions>(
      "label pairs", "draw pairs of summaries for labelers to compare", Mpi::no, add_options, run);
}

}  // namespace precis
