// `precis evaluate best-of-n`: what the best of n samples by a reward model is worth.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "commands/temperature_option.hpp"
#include "eval/best_of_n.hpp"
#include "eval/overoptimization.hpp"
#include "eval/score_files.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/samples.hpp"
#include "io/row_id.hpp"

namespace precis {
namespace {

struct EvaluateBestOptions {
  std::string samples;
  std::string rewards;
  std::string input;
  std::string best;
  std::string points;
  std::string json;
  std::string temperature;
  std::int64_t n = 0;
  std::int64_t max = 64;
};

void add_options(OptionTable& table, EvaluateBestOptions& options) {
  table.add("samples", &options.samples,
            {.meaning = "a file of `precis sample` with several samples of each row; each line "
                        "counts as a sample, so copied lines change the results for n > 1",
             .required = true,
             .file = FileUse::input});
  table.add("rewards", &options.rewards,
            {.meaning = "what `precis score` with a reward model wrote for these samples",
             .required = true,
             .file = FileUse::input});
  table.add(
      "input", &options.input,
      {.meaning = "the samples' rows of `precis synthesize`, for gold scores and wins against "
                  "the references; empty: rewards only",
       .file = FileUse::input});
  table.add("best", &options.best,
            {.meaning = "the sample of each row with the highest reward, of all or of the first "
                        "best_of.n, in the form of `precis sample` with index 0; empty: not "
                        "written",
             .file = FileUse::output});
  table.add("points", &options.points,
            {.meaning = "one row per n, for the chart of `precis report` (overoptimize.jsonl); "
                        "empty: not written",
             .file = FileUse::output});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("table"), .file = FileUse::output});
  add_temperature(table, &options.temperature);
  table.add("best_of.n", &options.n,
            {.unit = "samples",
             .meaning = "of each row, the first ones, among which --best chooses; 0: all",
             .source = "precis",
             .maximum = 1e9});
  table.add("best_of.max", &options.max,
            {.unit = "samples",
             .meaning = "the largest n of the table",
             .source = "Stiennon 2020: up to 64 and more",
             .minimum = 1,
             .maximum = 1e9});
}

/// The ids in the order of their first samples.
std::vector<std::string> ids_in(const std::string& samples) {
  std::vector<std::string> ids;
  std::set<std::string> known;
  for_each_row(samples, [&](const JsonRow& row) {
    if (std::string id = required_id(row); known.insert(id).second) {
      ids.push_back(std::move(id));
    }
  });
  require(!ids.empty(), "{}: the file has no samples.", samples);
  return ids;
}

/// Gold scores of all samples, and their wins against the references.
struct Gold {
  SampleValues scores;
  SampleValues wins;
};

Gold gold_of(const std::vector<GoldRow>& rows,
             const std::vector<std::vector<SampledSummary>>& samples) {
  Gold gold;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double reference = gold_score(rows[i].facts, rows[i].row.summary, true).overall;
    auto& scores = gold.scores.emplace_back();
    auto& wins = gold.wins.emplace_back();
    for (const SampledSummary& sample : samples[i]) {
      scores.push_back(gold_score(rows[i], sample).overall);
      wins.push_back(scores.back() > reference ? 1 : scores.back() < reference ? 0 : 0.5);
    }
  }
  return gold;
}

/// Copies the lines of the best samples, in the order of the rows.
void write_best(const EvaluateBestOptions& options, const std::vector<std::string>& ids,
                const std::vector<std::vector<SampledSummary>>& samples,
                const SampleValues& rewards, std::int64_t n) {
  std::unordered_map<std::string, std::pair<std::size_t, std::int64_t>> chosen;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    chosen[ids[i]] = {i, samples[i][best_of_first(rewards[i], n)].index};
  }
  std::vector<nlohmann::ordered_json> lines(ids.size());
  for_each_row(options.samples, [&](const JsonRow& row) {
    const std::string id = required_id(row);
    const auto& [place, index] = chosen.at(id);
    if (row.value.at("index").get<std::int64_t>() != index) {
      return;
    }
    nlohmann::ordered_json line = {{"id", id}, {"index", 0}};
    for (const char* field : {"prompt_ids", "response_ids", "response", "logprobs", "finish"}) {
      if (const nlohmann::json* value = find_field(row.value, field)) {
        line[field] = *value;
      }
    }
    lines[place] = std::move(line);
  });
  JsonlWriter file(options.best);
  for (const auto& line : lines) {
    file.write(line);
  }
  file.commit();
}

ExitStatus run(Context& /*context*/, EvaluateBestOptions& options) {
  const auto temperature = temperature_of(options.temperature);
  std::vector<GoldRow> rows;
  std::vector<std::string> ids;
  std::vector<std::uint64_t> posts;
  if (options.input.empty()) {
    ids = ids_in(options.samples);
    posts.resize(ids.size());
    std::iota(posts.begin(), posts.end(), std::uint64_t{0});
  } else {
    rows = read_gold_rows(options.input);
    for (const GoldRow& row : rows) {
      ids.push_back(row.id);
      posts.push_back(post_number(row.row.post));
    }
  }
  const auto samples =
      read_samples(options.samples, ids, options.input.empty() ? options.samples : options.input);
  const SampleValues rewards = read_sample_rewards(options.samples, options.rewards, ids);
  const auto count = static_cast<std::int64_t>(samples.front().size());
  if (!options.best.empty() && count < options.n) {
    fail_usage("best_of.n is {}, and {} has {} samples of each row. Sample more with --sampling.n.",
               options.n, options.samples, count);
  }
  const std::int64_t best_of = options.n == 0 ? count : options.n;
  const Gold gold = rows.empty() ? Gold{} : gold_of(rows, samples);
  const auto table = best_of_n(rewards, gold.scores, gold.wins, posts, options.max);
  std::optional<JsonlWriter> json;
  if (!options.json.empty()) {
    json.emplace(options.json);
  }
  if (!options.points.empty()) {
    JsonlWriter points(options.points);
    for (const PolicyPoint& point : policy_points("best of n", table)) {
      points.write(to_json(point));
    }
    points.commit();
  }
  if (!options.best.empty()) {
    write_best(options, ids, samples, rewards, best_of);
  }
  if (json) {
    nlohmann::ordered_json written = {{"rows", ids.size()}, {"samples", count}};
    if (temperature) {
      written["temperature"] = *temperature;
    }
    written["best_of"] = to_json(table);
    json->write(written);
    json->commit();
  }
  fmt::print(
      "{} rows, {} samples of each{}; means over all subsets of n samples, with intervals of "
      "95% over posts\n\n{}",
      ids.size(), count, at_temperature(options.temperature), to_text(table));
  if (!options.best.empty()) {
    fmt::print("\nThe best of {} {} of each row are in {}.\n",
               best_of == count ? "all" : "the first", best_of, options.best);
  }
  return ExitStatus::done;
}

}  // namespace

Command evaluate_best_of_n_command() {
  return make_command<EvaluateBestOptions>("evaluate best-of-n",
                                           "the best of n samples by a reward model, for every n",
                                           Mpi::no, add_options, run);
}

}  // namespace precis
