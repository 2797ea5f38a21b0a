// `precis evaluate axes`: summaries judged on Likert axes, by policy and by worker.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "eval/axes.hpp"
#include "io/jsonl.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

struct EvaluateAxesOptions {
  std::vector<std::string> input;
  std::string split;
  std::string json;
  bool skip_bad = false;
};

void add_options(OptionTable& table, EvaluateAxesOptions& options) {
  table.add("input", &options.input,
            {.meaning = "axis judgements in OpenAI's schema, names or globs separated by commas",
             .required = true,
             .file = FileUse::input});
  table.add("split", &options.split,
            {.meaning = "use the judgements of this `split` only; empty: all"});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("table"), .file = FileUse::output});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
}

ExitStatus run(Context& context, EvaluateAxesOptions& options) {
  std::vector<AxisRating> ratings;
  std::int64_t skipped = 0;
  for (const std::string& file : expand_files(options.input)) {
    skipped += for_each_row(file, options.skip_bad, [&](const JsonRow& row) {
      AxisRating rating = parse_axis_rating(row);
      if (options.split.empty() || rating.split == options.split) {
        ratings.push_back(std::move(rating));
      }
    });
  }
  if (skipped > 0) {
    context.log.warning("{} could not be read and were skipped.", counted(skipped, "row"));
  }
  require(!ratings.empty(), "{}: there are no axis judgements{}.", joined(options.input, ","),
          options.split.empty() ? "" : " of split " + options.split);
  const AxesReport report = report_axes(ratings);
  if (report.repeated > 0) {
    context.log.warning("{} (same post, summary, policy, labeler and scores) {} counted once.",
                        counted(report.repeated, "duplicate judgement"),
                        report.repeated == 1 ? "was" : "were");
  }
  if (!options.json.empty()) {
    JsonlWriter file(options.json);
    file.write(to_json(report));
    file.commit();
  }
  const auto counting = static_cast<std::int64_t>(ratings.size()) - report.repeated;
  fmt::print("{}; intervals of 95% over posts\n\n{}", counted(counting, "judgement"),
             to_text(report));
  return ExitStatus::done;
}

}  // namespace

Command evaluate_axes_command() {
  return make_command<EvaluateAxesOptions>(
      "evaluate axes", "summarize judgements on the axes from 1 to 7", Mpi::no, add_options, run);
}

}  // namespace precis
