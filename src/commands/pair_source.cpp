#include "commands/pair_source.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

void check_keys(const PairSource& source, const OptionTable& table) {
  if (source.input.empty()) {
    fail_usage("--input is missing: TL;DR rows, whose summaries are to be compared.");
  }
  const auto names = source.policies.size();
  const auto files = source.samples.size();
  if (names != 1 && names != files) {
    fail_usage(
        "label.policies and samples differ in number, {} and {}: give one name, or one a file.",
        names, files);
  }
  if (!source.mix.empty() && table.given("label.reference_share")) {
    fail_usage(
        "label.mix and label.reference_share are both given: say in label.mix how many pairs are "
        "with {}.",
        reference_policy);
  }
}

std::vector<PolicySamples> read_policies(const PairSource& source,
                                         const std::vector<SummaryRow>& rows) {
  const auto ids = ids_of(rows);
  std::vector<PolicySamples> policies;
  for (std::size_t i = 0; i < source.samples.size(); ++i) {
    policies.push_back({.policy = source.policies[source.policies.size() == 1 ? 0 : i],
                        .samples = read_samples(source.samples[i], ids, source.input)});
  }
  return policies;
}

}  // namespace

void add_pair_source(OptionTable& table, PairSource& source) {
  table.add("input", &source.input,
            {.meaning = "TL;DR rows whose summaries are compared", .file = FileUse::input});
  table.add("samples", &source.samples,
            {.meaning = "files of `precis sample` on these rows, one a policy; not needed with "
                        "label.contrast_share 1",
             .file = FileUse::input});
  table.add("label.seed", &source.seed,
            {.meaning = "on which the pairs, the splits, the assignment and the noise depend",
             .source = "precis"});
  table.add("label.pairs", &source.pairs.pairs,
            {.unit = "pairs",
             .meaning = "how many different pairs; 0: one a row",
             .source = "precis",
             .maximum = 1e9});
  table.add("label.policies", &source.policies,
            {.meaning = "names of the policies that sampled, such as sft, ppo, best-of-16: one for "
                        "all files, or one a file",
             .source = "precis"});
  table.add("label.mix", &source.mix,
            {.meaning = "which policies are compared, and how often beside each other, such as "
                        "ref/sft=1,sft/sft=2,ppo/sft=1: ref is the row's own summary; empty: by "
                        "label.reference_share, any sample as likely as any other"});
  table.add(
      "label.reference_share", &source.pairs.reference_share,
      {.meaning =
           "share of pairs of a sample and the reference summary; the others are of two samples",
       .source = "a prototype",
       .maximum = 1,
       .default_text = "1/3"});
  table.add("label.contrast_share", &source.pairs.contrast_share,
            {.meaning = "share of pairs that differ in one wrong fact, taken before label.mix and "
                        "label.reference_share; posts of `precis synthesize` only",
             .source = "precis",
             .maximum = 1});
  table.add("label.valid_share", &source.pairs.valid_share,
            {.meaning = "share of posts whose comparisons are of split valid1 instead of train",
             .source = "precis",
             .maximum = 1});
  table.add("label.batch", &source.batch,
            {.meaning = "the batch named in the comparisons", .source = "precis"});
  table.add("label.batches", &source.batches,
            {.meaning = "consecutive batches of equal size; with more than one they are named by "
                        "label.batch and -1, -2, ...",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
}

std::string given_pair_key(const OptionTable& table) {
  for (const char* key :
       {"input", "samples", "label.pairs", "label.policies", "label.mix", "label.reference_share",
        "label.contrast_share", "label.valid_share", "label.batch", "label.batches"}) {
    if (table.given(key)) {
      return key;
    }
  }
  return {};
}

DrawnPairs draw_pairs(const PairSource& source, const OptionTable& table, Log& log) {
  check_keys(source, table);
  PairOptions options = source.pairs;
  options.mix = parse_mix(source.mix);
  const auto rows = read_summary_rows(source.input, needs_references(options));
  auto drawn = draw_pairs(rows, read_policies(source, rows), options,
                          static_cast<std::uint64_t>(source.seed));

  const auto wanted = options.pairs > 0 ? options.pairs : static_cast<std::int64_t>(rows.size());
  const auto found = static_cast<std::int64_t>(drawn.pairs.size());
  require(found > 0, "{}: every pair drawn from these samples had two identical texts.",
          joined(source.samples, ", "));
  if (found < wanted) {
    log.warning(
        "There are only {} different pairs in the shares asked for, not {}: those of {} ran out. "
        "More samples of each post, or more posts, give more.",
        found, wanted, drawn.ran_out);
  }
  if (source.batches > found) {
    fail_usage("label.batches is {}, but there are only {}.", source.batches,
               counted(found, "pair"));
  }
  name_batches(drawn.pairs, source.batch, source.batches);
  return drawn;
}

}  // namespace precis
