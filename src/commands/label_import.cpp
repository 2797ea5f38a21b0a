// `precis label import`: what people answered on pages of `label export`, back as comparisons.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "feedback/judgements.hpp"
#include "feedback/label_page.hpp"
#include "io/jsonl.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

struct ImportOptions {
  std::vector<std::string> input;
  std::string pairs;
  std::string output;
  std::string axes;
  std::string unjudged;
};

void add_options(OptionTable& table, ImportOptions& options) {
  table.add("input", &options.input,
            {.meaning =
                 "files that pages of `precis label export` downloaded, of one labeler or several; "
                 "of several answers of a labeler to a pair, the one downloaded last counts",
             .required = true,
             .file = FileUse::input});
  table.add("pairs", &options.pairs,
            {.meaning = "the comparisons that the pages were exported from",
             .required = true,
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "comparisons in OpenAI's schema, one an answer, in the order of the pairs",
             .required = true,
             .file = FileUse::output});
  table.add("axes", &options.axes,
            {.meaning = "ratings of the single summaries in the schema of OpenAI's axis "
                        "evaluations; empty: not written",
             .file = FileUse::output});
  table.add("unjudged", &options.unjudged,
            {.meaning = "the pairs that a labeler could not judge, with the reason in "
                        "`cannot_judge` (unclear, knowledge, upsetting, other) and without a "
                        "choice, one an answer; empty: not written",
             .file = FileUse::output});
}

/// "PAIRS.jsonl:3, 9, 12 and 40 more"
std::string lines_of(const std::vector<std::size_t>& places, const PairList& list) {
  constexpr std::size_t most = 10;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(most, places.size()); ++i) {
    lines.push_back(std::to_string(list.pairs[places[i]].comparison.line));
  }
  const std::string more =
      places.size() > most ? fmt::format(" and {} more", places.size() - most) : "";
  return fmt::format("{}:{}{}", list.file, joined(lines, ", "), more);
}

void write_axes(const std::string& path, const Answers& answers, const PairList& list) {
  JsonlWriter file(path);
  for (const Answer& answer : answers.answers) {
    for (std::size_t k = 0; answer.axes && k < 2; ++k) {
      file.write(axis_json(list.pairs[answer.place], answer, k));
    }
  }
  file.commit();
}

void write_unjudged(const std::string& path, const Answers& answers, const PairList& list) {
  JsonlWriter file(path);
  for (const Answer& answer : answers.unjudged) {
    file.write(unjudged_json(list.pairs[answer.place], answer));
  }
  file.commit();
}

/// "3 unclear, 1 upsetting"
std::string reasons_of(const std::vector<Answer>& unjudged) {
  std::vector<std::string> reasons;
  for (const std::string_view reason : cannot_judge_reasons) {
    if (const auto count = std::ranges::count(unjudged, reason, &Answer::cannot_judge); count > 0) {
      reasons.push_back(fmt::format("{} {}", count, reason));
    }
  }
  return joined(reasons, ", ");
}

/// What became of answers that were given more than once.
void tell_of_repeats(Context& context, const LabelerAnswers& labeler) {
  if (labeler.repeated > 0) {
    context.log.info("{}: {} came again in another download and {} once.", labeler.worker,
                     counted(labeler.repeated, "answer"),
                     labeler.repeated == 1 ? "counts" : "count");
  }
  if (labeler.replaced > 0) {
    context.log.warning(
        "{}: {} of an earlier download {} replaced by what the later one says. If two people used "
        "this name, give each of them a name of their own.",
        labeler.worker, counted(labeler.replaced, "answer"), labeler.replaced == 1 ? "is" : "are");
  }
}

ExitStatus run(Context& context, ImportOptions& options) {
  const PairList list = read_pair_list(options.pairs);
  const Answers answers = read_answers(expand_files(options.input), list);
  const auto rated = std::count_if(answers.answers.begin(), answers.answers.end(),
                                   [](const Answer& answer) { return answer.axes.has_value(); });
  require(rated > 0 || options.axes.empty(),
          "There are no ratings for {}: the pages were exported without label.axes.", options.axes);
  if (rated > 0 && options.axes.empty()) {
    context.log.warning("{} also {} ratings, which were not written: give --axes FILE.",
                        counted(rated, "answer"), rated == 1 ? "has" : "have");
  }

  require(!answers.answers.empty() || !options.unjudged.empty(),
          "No pair was judged: {} that it cannot be ({}). Give --unjudged FILE to write these.",
          answers.unjudged.size() == 1 ? "one answer says"
                                       : fmt::format("{} answers say", answers.unjudged.size()),
          reasons_of(answers.unjudged));

  JsonlWriter file(options.output);
  for (const Answer& answer : answers.answers) {
    file.write(comparison_json(list.pairs[answer.place], answer));
  }
  file.commit();
  if (!options.axes.empty()) {
    write_axes(options.axes, answers, list);
  }
  if (!options.unjudged.empty()) {
    write_unjudged(options.unjudged, answers, list);
  } else if (!answers.unjudged.empty()) {
    context.log.warning(
        "{} that the pair cannot be judged ({}) and {} no comparison: give --unjudged FILE to keep "
        "{}.",
        answers.unjudged.size() == 1 ? "One answer says"
                                     : fmt::format("{} answers say", answers.unjudged.size()),
        reasons_of(answers.unjudged), answers.unjudged.size() == 1 ? "is" : "are",
        answers.unjudged.size() == 1 ? "it" : "them");
  }

  fmt::print("{:<24} {:>8} {:>14} {:>8} {:>16}\n", "labeler", "answers", "cannot judge", "missing",
             "median seconds");
  for (const LabelerAnswers& labeler : answers.labelers) {
    fmt::print("{:<24} {:>8} {:>14} {:>8} {:>16.1f}\n", labeler.worker, labeler.answered,
               labeler.unable, labeler.missing.size(), labeler.median_seconds);
    tell_of_repeats(context, labeler);
    if (!labeler.missing.empty()) {
      context.log.warning("{} has no answer to {}: {}.", labeler.worker,
                          counted(static_cast<std::int64_t>(labeler.missing.size()), "pair"),
                          lines_of(labeler.missing, list));
    }
  }
  fmt::print("{} written to {}.\n",
             counted(static_cast<std::int64_t>(answers.answers.size()), "comparison"),
             options.output);
  return ExitStatus::done;
}

}  // namespace

Command label_import_command() {
  return make_command<ImportOptions>("label import", "turn people's answers back into comparisons",
                                     Mpi::no, add_options, run);
}

}  // namespace precis
