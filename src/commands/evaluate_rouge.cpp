// `precis evaluate rouge`: predictions beside references by ROUGE.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "eval/rouge_means.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EvaluateRougeOptions {
  std::string input;
  std::string output;
  std::string json;
  bool stemmer = true;
  bool skip_bad = false;
};

void add_options(OptionTable& table, EvaluateRougeOptions& options) {
  table.add("input", &options.input,
            {.meaning = "rows {\"prediction\",\"reference\"} (JSON Lines)",
             .required = true,
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "precision, recall and F of rouge1, rouge2, rougeL and rougeLsum, a line a "
                        "row (JSON Lines); empty: not written",
             .file = FileUse::output});
  table.add(
      "json", &options.json,
      {.meaning = "the means as one JSON object; empty: not written", .file = FileUse::output});
  table.add("rouge.stemmer", &options.stemmer,
            {.meaning = "compare the words' Porter stems",
             .source = "precis; Google's rouge_score leaves it to its caller"});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
}

ExitStatus run(Context& context, EvaluateRougeOptions& options) {
  std::optional<JsonlWriter> output, json;
  if (!options.output.empty()) {
    output.emplace(options.output);
  }
  if (!options.json.empty()) {
    json.emplace(options.json);
  }
  std::vector<Rouge> all;
  const auto skipped = for_each_row(options.input, options.skip_bad, [&](const JsonRow& row) {
    all.push_back(rouge(row.text("prediction"), row.text("reference"), options.stemmer));
    if (output) {
      output->write(to_json(all.back()));
    }
  });
  if (skipped > 0) {
    context.log.warning("{} could not be read and were skipped.", counted(skipped, "row"));
  }
  if (json) {
    json->write(all.empty() ? nlohmann::ordered_json{{"rows", 0}} : to_json(mean_of(all)));
    json->commit();
  }
  if (output) {
    output->commit();
  }
  if (all.empty()) {
    fmt::print("{} has no rows: there are no means.\n", options.input);
    return ExitStatus::done;
  }
  fmt::print("{}, means with intervals of 95%; {}\n\n{}",
             counted(static_cast<std::int64_t>(all.size()), "row"),
             options.stemmer ? "words by their stems" : "words as they are", to_text(mean_of(all)));
  return ExitStatus::done;
}

}  // namespace

Command evaluate_rouge_command() {
  return make_command<EvaluateRougeOptions>(
      "evaluate rouge", "compare predictions with references by ROUGE", Mpi::no, add_options, run);
}

}  // namespace precis
