// `precis label simulate`: comparisons by simulated labelers.
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/label_tally.hpp"
#include "commands/pair_source.hpp"
#include "feedback/comparison_json.hpp"
#include "feedback/labeler_traits.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/simulated_labeler.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct LabelOptions {
  PairSource source;
  std::string pairs;
  std::string output;
  Labeler labeler;
  std::vector<std::string> workers;
  std::int64_t per_pair = 1;
};

void add_options(OptionTable& table, LabelOptions& options) {
  options.source.batch = "simulated";
  add_pair_source(table, options.source);
  table.add("pairs", &options.pairs,
            {.meaning = "pairs of `precis label pairs`, in place of input and samples",
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "comparisons in OpenAI's schema (JSON Lines)",
             .required = true,
             .file = FileUse::output});
  table.add("label.temperature", &options.labeler.temperature,
            {.meaning = "noise: the better summary is chosen with probability sigmoid(gold margin "
                        "/ temperature); 0: always",
             .source = "a prototype: some 84% agreement with gold",
             .maximum = 1e6});
  table.add("label.reliability", &options.labeler.reliability,
            {.meaning = "share of comparisons that are judged; the others are coin tosses",
             .source = "precis",
             .maximum = 1});
  table.add("label.worker", &options.labeler.worker,
            {.meaning = "the name of a single labeler, on which its noise depends; empty: gold- "
                        "and the temperature"});
  table.add("label.workers", &options.workers,
            {.meaning = "several labelers, such as ann,bob:length,cal:random=0.3:drift: a name, "
                        "then traits, each with a strength s or its default. " +
                        describe_traits()});
  table.add(
      "label.per_pair", &options.per_pair,
      {.unit = "labelers",
       .meaning =
           "how many different labelers judge each pair, all equally often; one row per judgement",
       .source = "precis",
       .minimum = 1,
       .maximum = 1e6});
}

std::vector<Labeler> labelers_of(const LabelOptions& options) {
  if (options.workers.empty()) {
    Labeler labeler = options.labeler;
    if (labeler.worker.empty()) {
      labeler.worker = fmt::format("gold-{}", labeler.temperature);
    }
    return {labeler};
  }
  if (!options.labeler.worker.empty()) {
    fail_usage("label.worker and label.workers are both given: name all labelers in the latter.");
  }
  return parse_labelers(options.workers, options.labeler);
}

// Pairs in a file; a choice that a row already has is ignored.
DrawnPairs read_pair_file(const std::string& path) {
  DrawnPairs read;
  for_each_row(path, [&](const JsonRow& row) {
    read.pairs.push_back(parse_comparison(row, ChoiceField::ignored));
  });
  require(!read.pairs.empty(), "{}: the file has no pairs; expected rows of `precis label pairs`.",
          path);
  return read;
}

DrawnPairs pairs_of(const LabelOptions& options, const Context& context) {
  if (options.pairs.empty()) {
    if (options.source.input.empty()) {
      fail_usage(
          "Give --input and --samples, to draw pairs from, or --pairs, made by `precis label "
          "pairs`.");
    }
    return draw_pairs(options.source, context.options, context.log);
  }
  if (const std::string key = given_pair_key(context.options); !key.empty()) {
    fail_usage("--pairs and --{} are both given, but the pairs of a file are judged as they are.",
               key);
  }
  return read_pair_file(options.pairs);
}

ExitStatus run(Context& context, LabelOptions& options) {
  const auto labelers = labelers_of(options);
  if (options.per_pair > static_cast<std::int64_t>(labelers.size())) {
    fail_usage(
        "label.per_pair is {}, but there {}: name more in label.workers.", options.per_pair,
        labelers.size() == 1 ? "is one labeler" : fmt::format("are {} labelers", labelers.size()));
  }
  const auto seed = static_cast<std::uint64_t>(options.source.seed);
  DrawnPairs drawn = pairs_of(options, context);
  const auto assigned = assign_labelers(drawn.pairs.size(), labelers.size(),
                                        static_cast<std::size_t>(options.per_pair), seed);

  JsonlWriter file(options.output);
  LabelTally tally;
  std::int64_t train = 0;
  std::int64_t valid = 0;
  for (std::size_t i = 0; i < drawn.pairs.size(); ++i) {
    Comparison& pair = drawn.pairs[i];
    const auto qualities = qualities_of(pair);
    require(qualities.has_value(),
            "{}: the post is not one that `precis synthesize` writes, so no simulated labeler can "
            "judge its summaries. Real posts need people's comparisons.",
            pair.where());
    const PairToJudge shown{
        .number = pair_number(pair),
        .swapped = trimmed(pair.summaries[1]) < trimmed(pair.summaries[0]),
        .time = i == 0 ? 0 : static_cast<double>(i) / static_cast<double>(drawn.pairs.size() - 1)};
    for (const std::size_t k : assigned[i]) {
      const Judgement judgement = judge(*qualities, labelers[k], seed, shown);
      pair.choice = judgement.choice;
      pair.confidence = judgement.confidence;
      pair.worker = labelers[k].worker;
      file.write(comparison_json(pair));
      tally.count(pair, *qualities);
      train += pair.split == "train" ? 1 : 0;
      valid += pair.split == "valid1" ? 1 : 0;
    }
  }
  file.commit();

  tally.print(!options.workers.empty());
  fmt::print(
      "Agreement with gold is over pairs without a tie. {} comparisons are of split train, {} of "
      "valid1; {} pairs of identical texts and {} repeated pairs were skipped. Written to {}.\n",
      train, valid, drawn.identical, drawn.repeated, options.output);
  return ExitStatus::done;
}

}  // namespace

Command label_simulate_command() {
  return make_command<LabelOptions>(
      "label simulate", "compare summaries as the gold labeler would, with noise and biases",
      Mpi::no, add_options, run);
}

}  // namespace precis
