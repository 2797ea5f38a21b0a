// `precis label simulate`: comparisons by a simulated labeler.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "feedback/simulated_labeler.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct LabelOptions {
  std::string input;
  std::vector<std::string> samples;
  std::string output;
  std::int64_t seed = 1;
  std::string worker;
  std::string batch = "simulated";
  std::vector<std::string> policies = {"sft"};
  LabelerOptions labeler;
  PairOptions pairs;
};

void add_options(OptionTable& table, LabelOptions& options) {
  table.add(
      "input", &options.input,
      {.meaning = "TL;DR rows of `precis synthesize`", .required = true, .file = FileUse::input});
  table.add("samples", &options.samples,
            {.meaning = "files of `precis sample` on these rows, one a policy; not needed with "
                        "label.contrast_share 1",
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "comparisons in OpenAI's schema (JSON Lines)",
             .required = true,
             .file = FileUse::output});
  table.add("label.seed", &options.seed,
            {.meaning = "of the pairs, the splits and the noise", .source = "precis"});
  table.add("label.pairs", &options.pairs.pairs,
            {.unit = "pairs",
             .meaning = "how many comparisons; 0: one a row",
             .source = "precis",
             .maximum = 1e9});
  table.add("label.temperature", &options.labeler.temperature,
            {.meaning = "noise: the better summary is chosen with probability sigmoid(gold margin "
                        "/ temperature); 0: always",
             .source = "a prototype: some 84% agreement with gold"});
  table.add("label.reliability", &options.labeler.reliability,
            {.meaning = "share of comparisons that are judged; the others are coin tosses",
             .source = "precis",
             .maximum = 1});
  table.add(
      "label.reference_share", &options.pairs.reference_share,
      {.meaning =
           "share of pairs of a sample and the reference summary; the others are of two samples",
       .source = "a prototype",
       .maximum = 1,
       .default_text = "1/3"});
  table.add("label.contrast_share", &options.pairs.contrast_share,
            {.meaning =
                 "share of pairs that differ in one wrong fact, taken before label.reference_share",
             .source = "precis",
             .maximum = 1});
  table.add("label.valid_share", &options.pairs.valid_share,
            {.meaning = "share of posts whose comparisons are of split valid1 instead of train",
             .source = "precis",
             .maximum = 1});
  table.add("label.policies", &options.policies,
            {.meaning = "names of the policies that sampled: one for all files, or one a file",
             .source = "precis"});
  table.add("label.worker", &options.worker,
            {.meaning = "the labeler's name, on which its noise depends; empty: gold- and the "
                        "temperature"});
  table.add("label.batch", &options.batch,
            {.meaning = "the batch named in the comparisons", .source = "precis"});
}

std::vector<PolicySamples> read_policies(const LabelOptions& options,
                                         const std::vector<GoldRow>& rows) {
  const auto names = options.policies.size();
  const auto files = options.samples.size();
  if (names != 1 && names != files) {
    fail_usage(
        "label.policies and samples differ in number, {} and {}: give one name, or one a file.",
        names, files);
  }
  std::vector<PolicySamples> policies;
  for (std::size_t i = 0; i < files; ++i) {
    policies.push_back({.policy = options.policies[names == 1 ? 0 : i],
                        .samples = read_samples(options.samples[i], rows)});
  }
  return policies;
}

// What was written, by kind of pair.
struct Tally {
  std::int64_t pairs = 0;
  std::int64_t ties = 0;
  std::int64_t agreed = 0;
};

void count(Tally& tally, const CandidatePair& pair, const Judgement& judgement) {
  const double margin = pair.candidates[1].gold.overall - pair.candidates[0].gold.overall;
  ++tally.pairs;
  tally.ties += margin == 0 ? 1 : 0;
  tally.agreed += margin != 0 && (margin > 0) == (judgement.choice == 1) ? 1 : 0;
}

void print(const char* name, const Tally& tally) {
  const auto told_apart = tally.pairs - tally.ties;
  fmt::print("{:<22} {:>8} {:>8} {:>10}\n", name, tally.pairs, tally.ties,
             told_apart > 0 ? fmt::format("{:.3f}", static_cast<double>(tally.agreed) /
                                                        static_cast<double>(told_apart))
                            : "-");
}

ExitStatus run(Context& context, LabelOptions& options) {
  options.labeler.worker =
      options.worker.empty() ? fmt::format("gold-{}", options.labeler.temperature) : options.worker;
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const auto rows = read_gold_rows(options.input);
  const auto policies = read_policies(options, rows);
  const auto drawn = draw_pairs(rows, policies, options.pairs, seed);

  const auto wanted =
      options.pairs.pairs > 0 ? options.pairs.pairs : static_cast<std::int64_t>(rows.size());
  const auto found = static_cast<std::int64_t>(drawn.pairs.size());
  require(found > 0, "{}: every pair drawn from these samples had two identical texts.",
          joined(options.samples, ", "));
  if (found < wanted) {
    context.log.warning(
        "There are only {} different pairs of different summaries, not the {} asked for. More "
        "samples of each post, or more posts, give more.",
        found, wanted);
  }

  JsonlWriter file(options.output);
  std::array<Tally, 3> tallies;
  Tally all;
  std::int64_t valid = 0;
  for (std::size_t i = 0; i < drawn.pairs.size(); ++i) {
    const auto& pair = drawn.pairs[i];
    const auto judgement = judge({pair.candidates[0].gold.overall, pair.candidates[1].gold.overall},
                                 options.labeler, seed, i);
    file.write(
        comparison_json(rows[pair.row], pair, judgement, options.labeler.worker, options.batch));
    count(tallies[static_cast<std::size_t>(pair.kind)], pair, judgement);
    count(all, pair, judgement);
    valid += pair.valid ? 1 : 0;
  }
  file.commit();

  fmt::print("{:<22} {:>8} {:>8} {:>10}\n", "pairs", "number", "ties", "agreement");
  print("sample and sample", tallies[static_cast<std::size_t>(PairKind::samples)]);
  print("sample and reference", tallies[static_cast<std::size_t>(PairKind::reference)]);
  print("one wrong fact", tallies[static_cast<std::size_t>(PairKind::contrast)]);
  print("all", all);
  fmt::print(
      "Agreement with gold is over pairs without a tie. {} comparisons are of split train, {} of "
      "valid1; {} pairs of identical texts and {} repeated pairs were skipped. Written to {}.\n",
      found - valid, valid, drawn.identical, drawn.repeated, options.output);
  return ExitStatus::done;
}

}  // namespace

Command label_simulate_command() {
  return make_command<LabelOptions>("label simulate",
                                    "compare summaries as the gold labeler would, with noise",
                                    Mpi::no, add_options, run);
}

}  // namespace precis
