// `precis evaluate overoptimization`: the learned reward and the true one along an optimisation.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "commands/commands.hpp"
#include "eval/overoptimization.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct OveroptimizationOptions {
  std::string input;
  std::vector<std::string> samples;
  std::vector<std::string> names;
  std::vector<std::string> rewards;
  std::vector<std::string> scores;
  std::string method;
  std::string points;
};

void add_options(OptionTable& table, OveroptimizationOptions& options) {
  table.add(
      "input", &options.input,
      {.meaning = "TL;DR rows of `precis synthesize`", .required = true, .file = FileUse::input});
  table.add("samples", &options.samples,
            {.meaning = "files of `precis sample` at temperature 1 on these rows, one a policy; "
                        "the first is the supervised model's",
             .required = true,
             .file = FileUse::input});
  table.add(
      "names", &options.names,
      {.meaning = "names of the policies, one a file, such as SFT,step 10", .required = true});
  table.add("rewards", &options.rewards,
            {.meaning = "for each file, what `precis score` with the reward model wrote for it",
             .required = true,
             .file = FileUse::input});
  table.add("scores", &options.scores,
            {.meaning = "for each file after the first, what `precis score` with the supervised "
                        "model wrote for it, for the KL",
             .file = FileUse::input});
  table.add("method", &options.method,
            {.meaning = "what the policies have in common, such as KL coefficient 0.02: one line "
                        "of the chart in `precis report`"});
  table.add("points", &options.points,
            {.meaning = "one row per policy, for `precis report` (overoptimize.jsonl), with "
                        "intervals of 95% over posts as in `evaluate win`; empty: not written",
             .file = FileUse::output});
}

ExitStatus run(Context& /*context*/, OveroptimizationOptions& options) {
  const std::size_t files = options.samples.size();
  if (options.names.size() != files || options.rewards.size() != files ||
      options.scores.size() + 1 != files) {
    fail_usage(
        "There are {} files of samples, {} names, {} files of rewards and {} of scores; expected "
        "a name and rewards for each, and scores for each but the first.",
        files, options.names.size(), options.rewards.size(), options.scores.size());
  }
  const auto rows = read_gold_rows(options.input);
  std::vector<PolicyPoint> points;
  for (std::size_t i = 0; i < files; ++i) {
    points.push_back(policy_point(options.method, options.names[i], rows,
                                  {.samples = options.samples[i],
                                   .rewards = options.rewards[i],
                                   .scores = i == 0 ? "" : options.scores[i - 1]}));
  }
  if (!options.points.empty()) {
    JsonlWriter file(options.points);
    for (const PolicyPoint& point : points) {
      file.write(to_json(point));
    }
    file.commit();
  }
  fmt::print("{}{}{}\nIntervals are of 95% over posts.\n", options.method,
             options.method.empty() ? "" : "\n", to_text(points));
  return ExitStatus::done;
}

}  // namespace

Command evaluate_overoptimization_command() {
  return make_command<OveroptimizationOptions>(
      "evaluate overoptimization", "the learned reward beside the true one along an optimisation",
      Mpi::no, add_options, run);
}

}  // namespace precis
