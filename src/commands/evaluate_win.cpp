// `precis evaluate win`: two policies beside each other, judged by gold, a reward model or people.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "commands/intervals.hpp"
#include "eval/judged_by_others.hpp"
#include "eval/score_files.hpp"
#include "eval/win.hpp"
#include "eval/words.hpp"
#include "feedback/repeated_judgements.hpp"
#include "feedback/samples.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

constexpr const char* references = "references";

struct EvaluateWinOptions {
  std::string input;
  std::string a;
  std::string b = references;
  std::string rewards_a;
  std::string rewards_b;
  std::vector<std::string> judgements;
  std::vector<std::string> policies;
  std::string output;
  std::string json;
};

void add_options(OptionTable& table, EvaluateWinOptions& options) {
  table.add("input", &options.input,
            {.meaning = "TL;DR rows: of `precis synthesize`, or any with rewards.a",
             .file = FileUse::input});
  table.add("a", &options.a,
            {.meaning = "a file of `precis sample` on these rows", .file = FileUse::input});
  table.add("b", &options.b,
            {.meaning = "another one, or `references` for the rows' own summaries",
             .source = "Stiennon 2020: policies are compared with the references",
             .file = FileUse::input});
  table.add(
      "rewards.a", &options.rewards_a,
      {.meaning = "what `precis score` with a reward model wrote for a: judges instead of the "
                  "gold labeler",
       .file = FileUse::input});
  table.add("rewards.b", &options.rewards_b,
            {.meaning = "the same for b; for references what `precis score` wrote for the rows",
             .file = FileUse::input});
  table.add("judgements", &options.judgements,
            {.meaning = "comparisons, names or globs separated by commas: their choices judge, and "
                        "input and a are not needed",
             .file = FileUse::input});
  table.add("policies", &options.policies,
            {.meaning = "with judgements: the names of a and b in the comparisons"});
  table.add("output", &options.output,
            {.meaning = "one line per comparison with its winner, texts and scores (JSON Lines); "
                        "empty: not written",
             .file = FileUse::output});
  table.add("json", &options.json,
            {.meaning = json_with_intervals("table"), .file = FileUse::output});
}

nlohmann::ordered_json score_json(const SampledSummary& sample, const GoldScore& gold) {
  return {{"text", sample.response},
          {"gold", gold.overall},
          {"coverage", gold.coverage},
          {"accuracy", gold.accuracy},
          {"coherent", gold.coherent},
          {"length_ok", gold.length_ok},
          {"ended", gold.ended},
          {"words", gold.words},
          {"right", gold.right},
          {"wrong", gold.wrong},
          {"repeats", gold.repeats},
          {"unparsed", gold.unparsed},
          {"question", gold.states_question}};
}

nlohmann::ordered_json means_json(const GoldMeans& means) {
  return {{"gold", means.gold},           {"coverage", means.coverage},
          {"accuracy", means.accuracy},   {"words", means.words},
          {"ended", means.ended},         {"coherent", means.coherent},
          {"length_ok", means.length_ok}, {"states_question", means.states_question},
          {"any_wrong", means.any_wrong}};
}

std::string to_text(const GoldMeans& a, const GoldMeans& b) {
  std::string text = fmt::format("{:<28} {:>8} {:>8}\n", "", "a", "b");
  const auto line = [&](const char* name, double GoldMeans::*mean, int digits) {
    text += fmt::format("{:<28} {:>8.{}f} {:>8.{}f}\n", name, a.*mean, digits, b.*mean, digits);
  };
  line("gold score", &GoldMeans::gold, 3);
  line("coverage", &GoldMeans::coverage, 3);
  line("accuracy of stated facts", &GoldMeans::accuracy, 3);
  line("length in words", &GoldMeans::words, 1);
  line("share ended", &GoldMeans::ended, 3);
  line("share coherent", &GoldMeans::coherent, 3);
  line("share with the question", &GoldMeans::states_question, 3);
  line("share with a wrong fact", &GoldMeans::any_wrong, 3);
  return text;
}

/// The rows that `--output` gets, and the table.
struct Result {
  std::vector<nlohmann::ordered_json> rows;
  nlohmann::ordered_json json;
  std::string text;
};

Result judge_by_gold(const EvaluateWinOptions& options) {
  const auto rows = read_gold_rows(options.input);
  const auto a = read_samples(options.a, rows);
  const auto b = options.b == references ? reference_samples(rows, a.front().size())
                                         : read_samples(options.b, rows);
  const WinResult wins = compare(rows, a, b);
  Result result;
  for (const WinRow& row : wins.rows) {
    result.rows.push_back({{"id", rows[row.row].id},
                           {"index", row.index},
                           {"winner", winner_of(row.gold_a.overall - row.gold_b.overall)},
                           {"a", score_json(row.a, row.gold_a)},
                           {"b", score_json(row.b, row.gold_b)}});
  }
  result.json = to_json(wins);
  result.json["a"] = means_json(wins.a);
  result.json["b"] = means_json(wins.b);
  result.text = fmt::format("a: {}\nb: {}\njudged by the gold labeler\n\n{}\n{}", options.a,
                            options.b, to_text(wins.a, wins.b), to_text(wins));
  return result;
}

Result judge_by_reward(const EvaluateWinOptions& options) {
  const auto rows = read_summary_rows(options.input, options.b == references);
  const auto ids = ids_of(rows);
  const RewardedSamples a{.samples = read_samples(options.a, ids, options.input),
                          .rewards = read_sample_rewards(options.a, options.rewards_a, ids)};
  const RewardedSamples b =
      options.b == references
          ? rewarded_references(rows, read_row_rewards(options.input, options.rewards_b, ids),
                                a.samples.front().size())
          : RewardedSamples{.samples = read_samples(options.b, ids, options.input),
                            .rewards = read_sample_rewards(options.b, options.rewards_b, ids)};
  const RewardWins wins = compare_rewards(rows, a, b);
  Result result;
  for (const RewardedPair& pair : wins.pairs) {
    const auto side = [](const SampledSummary& sample, double reward) {
      return nlohmann::ordered_json{{"text", sample.response},
                                    {"reward", reward},
                                    {"ended", sample.ended},
                                    {"words", word_count(sample.response)}};
    };
    result.rows.push_back({{"id", ids[pair.row]},
                           {"index", pair.a.index},
                           {"winner", winner_of(pair.reward_a - pair.reward_b)},
                           {"a", side(pair.a, pair.reward_a)},
                           {"b", side(pair.b, pair.reward_b)}});
  }
  result.json = to_json(wins.count);
  result.json["a"] = {{"reward", mean_json(wins.reward_a)}, {"words", mean_json(wins.words_a)}};
  result.json["b"] = {{"reward", mean_json(wins.reward_b)}, {"words", mean_json(wins.words_b)}};
  result.text = fmt::format(
      "a: {}\nb: {}\njudged by a reward model\n\n{:<28} {:>26} {:>26}\n{:<28} {:>26} "
      "{:>26}\n{:<28} {:>26} {:>26}\n\n{}",
      options.a, options.b, "", "a", "b", "reward", to_text(wins.reward_a), to_text(wins.reward_b),
      "length in words", to_text(wins.words_a, 1), to_text(wins.words_b, 1), to_text(wins.count));
  return result;
}

Result judge_by_people(const EvaluateWinOptions& options, Log& log) {
  const auto [judgements, repeated] = read_judgements(options.judgements, options.policies);
  if (repeated > 0) {
    log.warning("{}", repeated_text(repeated));
  }
  std::vector<PairOutcome> pairs;
  std::set<std::string> names;
  Result result;
  for (const PolicyJudgement& one : judgements) {
    pairs.push_back(one.pair);
    names.insert(one.pair_id);
    result.rows.push_back({{"id", one.id},
                           {"pair", one.pair_id},
                           {"worker", one.worker},
                           {"winner", winner_of(one.pair.margin)},
                           {"words", {one.pair.words_a, one.pair.words_b}}});
  }
  const WinCount count = count_wins(pairs, Weight::rows);
  result.json = to_json(count);
  result.json["pairs"] = names.size();
  result.text = fmt::format(
      "a: {}\nb: {}\njudged by the comparisons' workers, {} of {}\n\n{}", options.policies[0],
      options.policies[1], counted(static_cast<std::int64_t>(pairs.size()), "judgement"),
      counted(static_cast<std::int64_t>(names.size()), "pair"), to_text(count));
  return result;
}

void check_keys(const EvaluateWinOptions& o) {
  if (!o.judgements.empty()) {
    if (!o.input.empty() || !o.a.empty() || !o.rewards_a.empty() || !o.rewards_b.empty()) {
      fail_usage(
          "judgements was given beside input, a or rewards: the comparisons have their own "
          "texts and choices. Give policies with it, the names of a and b.");
    }
    if (o.policies.size() != 2 || o.policies[0] == o.policies[1]) {
      fail_usage(
          "policies is \"{}\"; judgements need two names, those of a and b, with a comma "
          "between.",
          joined(o.policies, ","));
    }
    return;
  }
  if (!o.policies.empty()) {
    fail_usage("policies was given without judgements, the comparisons in which they occur.");
  }
  if (o.input.empty() || o.a.empty()) {
    fail_usage(
        "--{} is missing; expected rows with --input and their samples with --a, or "
        "comparisons with --judgements.",
        o.input.empty() ? "input" : "a");
  }
  if (o.rewards_a.empty() != o.rewards_b.empty()) {
    fail_usage("--rewards.{} is missing: a reward model judges by the rewards of both sides.",
               o.rewards_a.empty() ? "a" : "b");
  }
}

ExitStatus run(Context& context, EvaluateWinOptions& options) {
  check_keys(options);
  std::optional<JsonlWriter> output, json;
  if (!options.output.empty()) {
    output.emplace(options.output);
  }
  if (!options.json.empty()) {
    json.emplace(options.json);
  }
  const Result result = !options.judgements.empty()  ? judge_by_people(options, context.log)
                        : !options.rewards_a.empty() ? judge_by_reward(options)
                                                     : judge_by_gold(options);
  if (output) {
    for (const auto& row : result.rows) {
      output->write(row);
    }
    output->commit();
  }
  if (json) {
    json->write(result.json);
    json->commit();
  }
  fmt::print("{}", result.text);
  return ExitStatus::done;
}

}  // namespace

Command evaluate_win_command() {
  return make_command<EvaluateWinOptions>("evaluate win",
                                          "compare two policies by gold, a reward model or people",
                                          Mpi::no, add_options, run);
}

}  // namespace precis
