#include "eval/reward_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <tuple>
#include <vector>

#include "base/text.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/repeated_judgements.hpp"

namespace precis {
namespace {

using Groups = std::map<std::string, Agreement>;

constexpr const char* not_given = "not given";

std::string or_not_given(const std::string& text) { return text.empty() ? not_given : text; }

std::string share_text(const Share& share) { return share.pairs > 0 ? to_text(share.rate) : "-"; }

std::string line(const std::string& name, const Agreement& agreement, bool with_gold) {
  std::string text = fmt::format("{:<24} {:>8} {:>24}", name, agreement.choice.pairs,
                                 share_text(agreement.choice));
  if (with_gold) {
    text += fmt::format(" {:>12} {:>24} {:>24}", agreement.gold.pairs, share_text(agreement.gold),
                        share_text(agreement.labeler_gold));
  }
  return text + "\n";
}

std::string group_lines(const std::string& title, const Groups& groups, bool with_gold) {
  std::string text;
  for (const auto& [name, agreement] : groups) {
    // A single group is the same as all pairs.
    if (name != "all" && groups.size() > 2) {
      text += line(title + " " + name, agreement, with_gold);
    }
  }
  return text;
}

void add_interval(nlohmann::ordered_json& json, const std::string& name, const Share& share) {
  if (share.pairs > 0) {
    json[name + "_low"] = share.rate.low;
    json[name + "_high"] = share.rate.high;
  }
}

std::string ties_text(const Agreement& all) {
  return all.ties == 0
             ? ""
             : fmt::format("\n{} equal rewards for both summaries, and {} half.\n",
                           all.ties == 1 ? "1 pair has" : with_thousands(all.ties) + " pairs have",
                           all.ties == 1 ? "counts" : "count");
}

Prediction prediction_of(const ScoredPair& pair) {
  const double margin = pair.rewards[1] - pair.rewards[0];
  const bool chose_higher = (margin > 0) == (pair.choice == 1);
  return {.margin = std::abs(margin),
          .chosen = margin == 0    ? 0.5
                    : chose_higher ? 1.0
                                   : 0.0,
          .post = pair.post};
}

nlohmann::ordered_json agreement_json(const Agreement& agreement) {
  nlohmann::ordered_json json = {{"pairs", agreement.choice.pairs},
                                 {"accuracy", agreement.choice.value()}};
  add_interval(json, "accuracy", agreement.choice);
  json["ties"] = agreement.ties;
  if (agreement.gold.pairs > 0) {
    json["gold_pairs"] = agreement.gold.pairs;
    json["gold_agreement"] = agreement.gold.value();
    add_interval(json, "gold_agreement", agreement.gold);
    json["labeler_gold_agreement"] = agreement.labeler_gold.value();
    add_interval(json, "labeler_gold_agreement", agreement.labeler_gold);
  }
  return json;
}

nlohmann::ordered_json groups_json(const Groups& groups) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, agreement] : groups) {
    if (name != "all") {
      json[name] = agreement_json(agreement);
    }
  }
  return json;
}

}  // namespace

RewardReport report_rewards(std::span<const Pair> pairs,
                            std::span<const std::array<float, 2>> rewards) {
  std::vector<const Comparison*> judgements;
  std::vector<ScoredPair> scored;
  std::vector<Prediction> predictions;
  RepeatedJudgements repeated;
  // Duplicates can differ in batch and confidence: that of the first batch counts, whatever the
  // order of the rows.
  std::vector<std::size_t> order(pairs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    const Comparison& comparison = pairs[i].comparison;
    return std::tie(comparison.batch, comparison.confidence, comparison.notes,
                    comparison.summaries);
  });
  for (const std::size_t i : order) {
    const Comparison& judgement = pairs[i].comparison;
    if (!repeated.is_new(judgement)) {
      continue;
    }
    ScoredPair pair{.choice = judgement.choice,
                    .rewards = {rewards[i][0], rewards[i][1]},
                    .post = post_number(judgement.post)};
    if (const auto gold = gold_scores(judgement)) {
      pair.gold = {(*gold)[0].overall, (*gold)[1].overall};
    }
    judgements.push_back(&judgement);
    predictions.push_back(prediction_of(pair));
    scored.push_back(pair);
  }
  const auto grouped = [&](const std::function<std::string(const Comparison&)>& group) {
    for (std::size_t i = 0; i < scored.size(); ++i) {
      scored[i].group = group(*judgements[i]);
    }
    return agreement_of(scored);
  };
  return {.by_confidence = grouped([](const Comparison& comparison) {
            return comparison.confidence ? fmt::format("{}", *comparison.confidence) : not_given;
          }),
          .by_policies = grouped(policy_pair),
          .by_batch =
              grouped([](const Comparison& comparison) { return or_not_given(comparison.batch); }),
          .calibration = calibration_of(predictions),
          .repeated = repeated.count()};
}

std::string to_text(const RewardReport& report) {
  const auto found = report.by_batch.find("all");
  const Agreement all = found != report.by_batch.end() ? found->second : Agreement{};
  const bool with_gold = all.gold.pairs > 0;
  std::string text = fmt::format("{:<24} {:>8} {:>24}", "", "pairs", "accuracy");
  if (with_gold) {
    text += fmt::format(" {:>12} {:>24} {:>24}", "no gold tie", "with gold", "labeler to gold");
  }
  text += "\n" + line("all", all, with_gold);
  text += group_lines("confidence", report.by_confidence, with_gold);
  text += group_lines("policies", report.by_policies, with_gold);
  text += group_lines("batch", report.by_batch, with_gold);
  text += ties_text(all);
  return text + "\n" + to_text(report.calibration);
}

nlohmann::ordered_json to_json(const RewardReport& report) {
  const auto found = report.by_batch.find("all");
  nlohmann::ordered_json json =
      agreement_json(found != report.by_batch.end() ? found->second : Agreement{});
  json["calibration"] = to_json(report.calibration);
  json["by_confidence"] = groups_json(report.by_confidence);
  json["by_policies"] = groups_json(report.by_policies);
  json["by_batch"] = groups_json(report.by_batch);
  return json;
}

}  // namespace precis
