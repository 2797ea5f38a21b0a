// `precis evaluate transfer`: a TL;DR policy's summaries of news articles.
#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/error.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "eval/transfer.hpp"
#include "feedback/samples.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EvaluateTransferOptions {
  std::string input;
  std::string samples;
  std::string output;
  std::string json;
  bool stemmer = true;
};

void add_options(OptionTable& table, EvaluateTransferOptions& options) {
  table.add("input", &options.input,
            {.meaning = "CNN/DM rows with article and highlights (JSON Lines)",
             .required = true,
             .file = FileUse::input});
  table.add("samples", &options.samples,
            {.meaning = "a file of `precis sample --data.template transfer` on these rows, one "
                        "sample of each",
             .required = true,
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "one line per article with the scores of the sample and of the article's "
                        "first three sentences (JSON Lines); empty: not written",
             .file = FileUse::output});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("table"), .file = FileUse::output});
  table.add("rouge.stemmer", &options.stemmer,
            {.meaning = "compare the words' Porter stems",
             .source = "precis; Google's rouge_score leaves it to its caller"});
}

ExitStatus run(Context& /*context*/, EvaluateTransferOptions& options) {
  const auto rows = read_summary_rows(options.input, true);
  for (const SummaryRow& row : rows) {
    require(row.post.kind == PostKind::article,
            "{}: this is a TL;DR row; expected one with article and highlights. `precis evaluate "
            "copying` and `precis evaluate table` take TL;DR rows.",
            row.where());
  }
  const auto samples = read_samples(options.samples, ids_of(rows), options.input);
  require(samples.front().size() == 1,
          "{} has {} samples of each row; expected one. Sample with --sampling.n 1.",
          options.samples, samples.front().size());
  std::optional<JsonlWriter> output, json;
  if (!options.output.empty()) {
    output.emplace(options.output);
  }
  if (!options.json.empty()) {
    json.emplace(options.json);
  }
  const TransferReport report = report_transfer(rows, samples, options.stemmer);
  if (output) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      output->write({{"id", rows[i].id()},
                     {"sample", to_json(report.samples[i])},
                     {"lead-3", to_json(report.leads[i])}});
    }
    output->commit();
  }
  if (json) {
    json->write(to_json(report));
    json->commit();
  }
  fmt::print("{} articles; means over articles with intervals of 95%\n\n{}", rows.size(),
             to_text(report));
  return ExitStatus::done;
}

}  // namespace

Command evaluate_transfer_command() {
  return make_command<EvaluateTransferOptions>(
      "evaluate transfer", "a TL;DR policy's summaries of news articles, beside their first lines",
      Mpi::no, add_options, run);
}

}  // namespace precis
