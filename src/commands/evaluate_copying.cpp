// `precis evaluate copying`: how much of the samples is copied from their posts.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "eval/copying.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/samples.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EvaluateCopyingOptions {
  std::string input;
  std::string samples;
  std::string output;
  std::string json;
};

void add_options(OptionTable& table, EvaluateCopyingOptions& options) {
  table.add("input", &options.input,
            {.meaning = "TL;DR or CNN/DM rows", .required = true, .file = FileUse::input});
  table.add("samples", &options.samples,
            {.meaning = "a file of `precis sample` on these rows",
             .required = true,
             .file = FileUse::input});
  table.add(
      "output", &options.output,
      {.meaning = "one line per sample: the longest copied run in words and as a share of the "
                  "summary, and the shares of copied n-grams, n = 1 to 4 (JSON Lines); "
                  "empty: not written",
       .file = FileUse::output});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("means"), .file = FileUse::output});
}

void print(const CopyingMeans& samples, const std::optional<CopyingMeans>& references) {
  fmt::print("{:<32} {:>24} {:>24}\n", "", "samples", references ? "references" : "");
  const auto line = [&](const std::string& name, const auto& mean, int digits) {
    const auto text = [&](const CopyingMeans& means) {
      const std::optional<Mean> found = mean(means);
      return found ? to_text(*found, digits) : "-";
    };
    fmt::print("{:<32} {:>24} {:>24}\n", name, text(samples), references ? text(*references) : "");
  };
  line(
      "longest copied run, words", [](const CopyingMeans& means) { return means.longest_run; }, 1);
  line(
      "  as a share of the summary", [](const CopyingMeans& means) { return means.longest_share; },
      3);
  for (std::size_t n = 0; n < samples.ngrams.size(); ++n) {
    line(
        n == 0 ? std::string("share of words copied")
               : fmt::format("share of {}-grams copied", n + 1),
        [n](const CopyingMeans& means) { return means.ngrams[n]; }, 3);
  }
}

ExitStatus run(Context& /*context*/, EvaluateCopyingOptions& options) {
  const auto rows = read_summary_rows(options.input, false);
  const auto samples = read_samples(options.samples, ids_of(rows), options.input);
  std::vector<Copying> of_samples;
  std::vector<Copying> of_references;
  const std::vector<std::uint64_t> posts = post_numbers(rows);
  std::vector<std::uint64_t> sample_posts;
  std::optional<JsonlWriter> output;
  if (!options.output.empty()) {
    output.emplace(options.output);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const SampledSummary& sample : samples[i]) {
      of_samples.push_back(copying(sample.response, rows[i].post.body));
      sample_posts.push_back(posts[i]);
      if (output) {
        nlohmann::ordered_json line = {{"id", rows[i].id()}, {"index", sample.index}};
        line.update(to_json(of_samples.back()));
        output->write(line);
      }
    }
    if (!rows[i].summary.empty()) {
      of_references.push_back(copying(rows[i].summary, rows[i].post.body));
    }
  }
  const CopyingMeans means = mean_of(of_samples, sample_posts);
  std::optional<CopyingMeans> references;
  if (of_references.size() == rows.size()) {
    references = mean_of(of_references, posts);
  }
  if (output) {
    output->commit();
  }
  if (!options.json.empty()) {
    nlohmann::ordered_json json = {{"samples", to_json(means)}};
    if (references) {
      json["references"] = to_json(*references);
    }
    JsonlWriter file(options.json);
    file.write(json);
    file.commit();
  }
  fmt::print("{} samples of {} rows; means with intervals of 95% over posts\n\n", of_samples.size(),
             rows.size());
  print(means, references);
  return ExitStatus::done;
}

}  // namespace

Command evaluate_copying_command() {
  return make_command<EvaluateCopyingOptions>("evaluate copying",
                                              "how much of the samples is copied from their posts",
                                              Mpi::no, add_options, run);
}

}  // namespace precis
