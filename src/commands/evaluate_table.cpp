// `precis evaluate table`: several policies side by side under the gold labeler.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "commands/temperature_option.hpp"
#include "eval/policy_table.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EvaluateTableOptions {
  std::string input;
  std::vector<std::string> samples;
  std::vector<std::string> names;
  std::vector<std::string> scores;
  std::string temperature;
  std::int64_t posts = 3;
  std::string json;
};

void add_options(OptionTable& table, EvaluateTableOptions& options) {
  table.add(
      "input", &options.input,
      {.meaning = "TL;DR rows of `precis synthesize`", .required = true, .file = FileUse::input});
  table.add(
      "samples", &options.samples,
      {.meaning = "files of `precis sample` on these rows, one a policy; the first is the one "
                  "the others started from",
       .required = true,
       .file = FileUse::input});
  table.add("names", &options.names,
            {.meaning = "names of the policies, one a file", .required = true});
  table.add(
      "scores", &options.scores,
      {.meaning = "for each file after the first, what `precis score` with the first policy's "
                  "model wrote for it, for the KL; empty: no KL",
       .file = FileUse::input});
  add_temperature(table, &options.temperature);
  table.add("posts", &options.posts,
            {.unit = "posts",
             .meaning = "shown with their summaries, the first ones",
             .source = "precis",
             .maximum = 1e9});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("table"), .file = FileUse::output});
}

std::vector<JudgedPolicy> read_policies(const EvaluateTableOptions& options,
                                        const std::vector<GoldRow>& rows) {
  const std::size_t files = options.samples.size();
  if (options.names.size() != files) {
    fail_usage(
        "names and samples differ in number, {} and {}: give one name for each file of samples.",
        options.names.size(), files);
  }
  if (!options.scores.empty() && options.scores.size() + 1 != files) {
    fail_usage(
        "There are {} files of scores and {} of samples; expected scores for each but the first.",
        options.scores.size(), files);
  }
  std::vector<JudgedPolicy> policies;
  for (std::size_t i = 0; i < files; ++i) {
    JudgedPolicy policy{.name = options.names[i],
                        .samples = read_samples(options.samples[i], rows)};
    if (!options.scores.empty()) {
      policy.kl = i == 0 ? 0 : mean_kl(options.samples[i], options.scores[i - 1]);
    }
    policies.push_back(std::move(policy));
  }
  return policies;
}

void write_json(const EvaluateTableOptions& options, std::size_t posts, std::size_t samples,
                const std::vector<PolicyColumn>& columns) {
  nlohmann::ordered_json table = {{"posts", posts}, {"samples", samples}};
  if (const auto temperature = temperature_of(options.temperature)) {
    table["temperature"] = *temperature;
  }
  table["policies"] = to_json(columns);
  JsonlWriter file(options.json);
  file.write(table);
  file.commit();
}

void print_post(const GoldRow& row, std::size_t index, const std::vector<JudgedPolicy>& policies) {
  fmt::print("\n{}: {}\n", row.row.post.title, row.row.post.body);
  fmt::print("  {:<12}{}\n", "reference", trimmed(row.row.summary));
  for (const JudgedPolicy& policy : policies) {
    fmt::print("  {:<12}{}\n", policy.name, trimmed(policy.samples[index].front().response));
  }
}

ExitStatus run(Context& /*context*/, EvaluateTableOptions& options) {
  (void)temperature_of(options.temperature);
  const auto rows = read_gold_rows(options.input);
  const auto policies = read_policies(options, rows);
  const auto columns = policy_table(rows, policies);
  const std::size_t samples = policies.front().samples.front().size();
  if (!options.json.empty()) {
    write_json(options, rows.size(), samples, columns);
  }
  fmt::print(
      "{} posts, {} per policy and post{}, judged by the gold labeler; intervals of 95% over "
      "posts\n\n{}",
      rows.size(), samples == 1 ? "one sample" : fmt::format("{} samples", samples),
      at_temperature(options.temperature), to_text(columns));
  const std::size_t shown = std::min(rows.size(), static_cast<std::size_t>(options.posts));
  for (std::size_t i = 0; i < shown; ++i) {
    print_post(rows[i], i, policies);
  }
  return ExitStatus::done;
}

}  // namespace

Command evaluate_table_command() {
  return make_command<EvaluateTableOptions>(
      "evaluate table", "show several policies side by side under the gold labeler", Mpi::no,
      add_options, run);
}

}  // namespace precis
