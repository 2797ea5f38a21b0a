// `precis label audit`: who agrees with whom, how reliable each labeler is, and feedback to them.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "data/worker_weights.hpp"
#include "feedback/audit.hpp"
#include "feedback/audit_report.hpp"
#include "feedback/feedback_sheet.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct LabelAuditOptions {
  std::vector<std::string> input;
  std::string rewards;
  std::string consensus;
  std::string sheets;
  std::string weights;
  std::string json;
  std::int64_t shown = 20;
  AuditOptions audit;
};

void add_options(OptionTable& table, LabelAuditOptions& o) {
  table.add("input", &o.input,
            {.meaning = "comparisons by all labelers, names or globs separated by commas",
             .required = true,
             .file = FileUse::input});
  table.add("researchers", &o.audit.researchers,
            {.meaning = "workers whose judgement the others are compared with; empty: the others' "
                        "majority, or gold where no pair was judged by several"});
  table.add("rewards", &o.rewards,
            {.meaning = "rows of `precis evaluate reward --output` on these comparisons: the "
                        "reward model is one more judge; empty: none",
             .file = FileUse::input});
  table.add("sheets", &o.sheets,
            {.meaning = "folder for a feedback sheet (HTML) for each labeler and their index; "
                        "empty: not written",
             .file = FileUse::output});
  table.add("weights", &o.weights,
            {.meaning = "file for `precis reward --data.worker_weights`: max(0, 2 accuracy - 1) "
                        "for each labeler whose accuracy is known; empty: not written",
             .file = FileUse::output});
  table.add("consensus", &o.consensus,
            {.meaning = "one line per pair with the probability that each text is the better one "
                        "(JSON Lines); empty: not written",
             .file = FileUse::output});
  table.add(
      "json", &o.json,
      {.meaning = "all numbers as one JSON object, with 95% intervals: of shares over posts, of "
                  "the estimated accuracy over pairs, by the model; empty: not written",
       .file = FileUse::output});
  table.add("label.anchor", &o.audit.anchor,
            {{"researchers", AuditAnchor::researchers}, {"gold", AuditAnchor::gold}},
            {.meaning = "who decides whether the labelers are right or all the other way round, "
                        "which agreement alone cannot tell; where they judged nothing, the "
                        "majority is taken to be right",
             .source = "precis: gold only if asked, as people's posts have none"});
  table.add("label.shown", &o.shown,
            {.unit = "pairs",
             .meaning = "at most, in a feedback sheet, of those that were judged otherwise by "
                        "researchers (else by the others' consensus, else by gold)",
             .source = "precis",
             .maximum = 1e9});
}

void write_consensus(JsonlWriter& file, const JudgedPairs& pairs, const Audit& audit) {
  for (std::size_t i = 0; i < pairs.pairs.size(); ++i) {
    const JudgedPair& pair = pairs.pairs[i];
    std::int64_t second = 0;
    for (const std::size_t vote : pair.votes) {
      second += pairs.votes[vote].choice;
    }
    const double probability = audit.consensus.probability_of_1[i];
    file.write({{"pair", pair.id},
                {"id", pair.post.id},
                {"texts", pair.texts},
                {"policies", pair.policies},
                {"votes", {static_cast<std::int64_t>(pair.votes.size()) - second, second}},
                {"probabilities", {1 - probability, probability}}});
  }
  file.commit();
}

std::map<std::string, double> known_weights(const Audit& audit, Log& log) {
  auto weights = worker_weights(audit);
  require(!weights.empty(),
          "No labeler's accuracy is known, so there are no weights to write: an estimate needs "
          "pairs that three labelers judged in common.");
  std::vector<std::string> missing;
  for (const LabelerAudit& labeler : audit.labelers) {
    if (!labeler.reliability) {
      missing.push_back(shown_name(labeler.name));
    }
  }
  if (!missing.empty()) {
    log.warning(
        "The weights lack {}, whose accuracy is not known: name such workers in "
        "data.exclude_workers of `precis reward`, or give them a weight in the file.",
        joined(missing, ", "));
  }
  return weights;
}

ExitStatus run(Context& context, LabelAuditOptions& o) {
  JudgedPairs pairs = read_judged_pairs(o.input);
  if (!o.rewards.empty()) {
    const auto found = read_pair_rewards(o.rewards, pairs);
    context.log.info("{}: rewards of {} of {}.", o.rewards, with_thousands(found),
                     counted(static_cast<std::int64_t>(pairs.pairs.size()), "pair"));
  }
  const Audit audit = audit_labelers(pairs, o.audit);
  const auto weights = o.weights.empty() ? WorkerWeights{} : known_weights(audit, context.log);
  // A file that cannot be written is an error before anything is written.
  std::optional<JsonlWriter> consensus, json;
  if (!o.consensus.empty()) {
    consensus.emplace(o.consensus);
  }
  if (!o.json.empty()) {
    json.emplace(o.json);
  }
  if (!o.sheets.empty()) {
    const auto sheets =
        write_feedback_sheets(o.sheets, pairs, audit, static_cast<std::size_t>(o.shown));
    context.log.info("{} and index.html are in {}.",
                     counted(static_cast<std::int64_t>(sheets), "feedback sheet"), o.sheets);
  }
  if (!o.weights.empty()) {
    write_worker_weights(o.weights, weights);
  }
  if (consensus) {
    write_consensus(*consensus, pairs, audit);
  }
  if (json) {
    json->write(to_json(pairs, audit));
    json->commit();
  }
  fmt::print("{}", to_text(pairs, audit));
  return ExitStatus::done;
}

}  // namespace

Command label_audit_command() {
  return make_command<LabelAuditOptions>("label audit",
                                         "agreement and reliability of labelers, feedback to them",
                                         Mpi::no, add_options, run);
}

}  // namespace precis
