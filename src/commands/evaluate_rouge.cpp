// `precis evaluate rouge`: predictions beside references by ROUGE.
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "eval/rouge_means.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/samples.hpp"
#include "io/jsonl.hpp"
#include "io/row_file.hpp"

namespace precis {
namespace {

struct EvaluateRougeOptions {
  std::string input;
  std::string samples;
  std::string output;
  std::string json;
  bool stemmer = true;
  bool skip_bad = false;
};

void add_options(OptionTable& table, EvaluateRougeOptions& options) {
  table.add("input", &options.input,
            {.meaning = "rows {\"prediction\",\"reference\"} (JSON Lines); with samples: TL;DR or "
                        "CNN/DM rows",
             .required = true,
             .file = FileUse::input});
  table.add(
      "samples", &options.samples,
      {.meaning = "a file of `precis sample` on these rows: the predictions, compared with the "
                  "rows' own summaries",
       .file = FileUse::input});
  table.add(
      "output", &options.output,
      {.meaning = "precision, recall and F of rouge1, rouge2, rougeL and rougeLsum, one line per "
                  "prediction, for samples with id and index (JSON Lines); empty: not written",
       .file = FileUse::output});
  table.add(
      "json", &options.json,
      {.meaning = json_with_intervals("means") +
                  "; without samples, rows with the same reference are taken to have the same post",
       .file = FileUse::output});
  table.add("rouge.stemmer", &options.stemmer,
            {.meaning = "compare the words' Porter stems",
             .source = "precis; Google's rouge_score leaves it to its caller"});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
}

struct Prediction {
  const std::string& text;
  const std::string& reference;
  std::uint64_t post = 0;        ///< as in PostValue
  nlohmann::ordered_json names;  ///< begin its line of output
};

/// Rows without samples do not name their post: those with the same reference are taken to have the
/// same post.
std::uint64_t post_of_reference(const std::string& reference) {
  Post post;
  post.body = reference;
  return post_number(post);
}

/// Returns how many rows were skipped.
std::int64_t for_each_prediction(const EvaluateRougeOptions& options,
                                 const std::function<void(const Prediction&)>& compare) {
  if (options.samples.empty()) {
    return for_each_row(options.input, options.skip_bad, [&](const JsonRow& row) {
      const std::string& reference = row.text("reference");
      compare({.text = row.text("prediction"),
               .reference = reference,
               .post = post_of_reference(reference),
               .names = nlohmann::ordered_json::object()});
    });
  }
  const auto rows = read_summary_rows(options.input, false);
  const auto samples = read_samples(options.samples, ids_of(rows), options.input);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    require(!rows[i].summary.empty(), "{}: the row has no summary to compare samples with.",
            rows[i].where());
    for (const SampledSummary& sample : samples[i]) {
      compare({.text = sample.response,
               .reference = rows[i].summary,
               .post = post_number(rows[i].post),
               .names = {{"id", rows[i].id()}, {"index", sample.index}}});
    }
  }
  return 0;
}

ExitStatus run(Context& context, EvaluateRougeOptions& options) {
  if (!options.samples.empty() && options.skip_bad) {
    fail_usage("data.skip_bad is for rows without samples: with --samples every row is needed.");
  }
  std::optional<JsonlWriter> output, json;
  if (!options.output.empty()) {
    output.emplace(options.output);
  }
  if (!options.json.empty()) {
    json.emplace(options.json);
  }
  std::vector<Rouge> all;
  std::vector<std::uint64_t> posts;
  const bool of_samples = !options.samples.empty();
  const auto skipped = for_each_prediction(options, [&](const Prediction& prediction) {
    const Rouge score = rouge(prediction.text, prediction.reference, options.stemmer);
    if (output) {
      nlohmann::ordered_json line = prediction.names;
      line.update(to_json(score));
      output->write(line);
    }
    all.push_back(score);
    posts.push_back(prediction.post);
  });
  if (skipped > 0) {
    context.log.warning("{} could not be read and were skipped.", counted(skipped, "row"));
  }
  require_rows(static_cast<std::int64_t>(all.size()) + skipped, options.input);
  require(!all.empty(), "{}: no row could be read.", options.input);
  const Weight weight = of_samples ? Weight::posts : Weight::rows;
  if (json) {
    json->write(to_json(mean_of(all, posts, weight)));
    json->commit();
  }
  if (output) {
    output->commit();
  }
  fmt::print("{}, means with intervals of 95% over posts; {}\n\n{}",
             counted(static_cast<std::int64_t>(all.size()), of_samples ? "sample" : "row"),
             options.stemmer ? "words by their stems" : "words as they are",
             to_text(mean_of(all, posts, weight)));
  return ExitStatus::done;
}

}  // namespace

Command evaluate_rouge_command() {
  return make_command<EvaluateRougeOptions>(
      "evaluate rouge", "compare predictions with references by ROUGE", Mpi::no, add_options, run);
}

}  // namespace precis
