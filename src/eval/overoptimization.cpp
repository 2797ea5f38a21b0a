#include "eval/overoptimization.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/policy_table.hpp"
#include "eval/score_files.hpp"
#include "eval/win.hpp"
#include "feedback/pair_id.hpp"

namespace precis {

PolicyPoint policy_point(const std::string& method, const std::string& name,
                         const std::vector<GoldRow>& rows, const PolicyFiles& files) {
  std::vector<std::string> ids;
  for (const GoldRow& row : rows) {
    ids.push_back(row.id);
  }
  const auto samples = read_samples(files.samples, rows);
  const auto sample_rewards = read_sample_rewards(files.samples, files.rewards, ids);
  std::vector<PostValue> rewards;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const double reward : sample_rewards[i]) {
      rewards.push_back({post_number(rows[i].row.post), reward});
    }
  }
  const WinResult wins = compare(rows, samples, reference_samples(rows, samples.front().size()));
  std::vector<PostValue> gold;
  for (const WinRow& row : wins.rows) {
    gold.push_back({post_number(rows[row.row].row.post), row.gold_a.overall});
  }
  return {.method = method,
          .name = name,
          .kl = files.scores.empty() ? 0 : mean_kl(files.samples, files.scores),
          .reward = mean_over_posts(rewards, Weight::posts),
          .gold = mean_over_posts(gold, Weight::posts),
          .against_references = wins.win_rate};
}

std::vector<PolicyPoint> policy_points(const std::string& method,
                                       const std::vector<BestOfN>& table) {
  std::vector<PolicyPoint> points;
  for (const BestOfN& best : table) {
    points.push_back({.method = method,
                      .name = fmt::format("best of {}", best.n),
                      .kl = best.kl,
                      .reward = best.reward,
                      .gold = best.gold,
                      .against_references = best.against_references});
  }
  return points;
}

std::string to_text(const std::vector<PolicyPoint>& points) {
  std::string text = fmt::format("{:<28} {:>8} {:>6} {:>26} {:>26} {:>24}\n", "", "KL, nats",
                                 "root", "reward", "gold", "wins against refs");
  for (const PolicyPoint& point : points) {
    text += fmt::format("{:<28} {:>8.2f} {:>6.2f} {:>26} {:>26} {:>24}\n", point.name, point.kl,
                        std::sqrt(std::max(point.kl, 0.0)), to_text(point.reward),
                        point.gold ? to_text(*point.gold) : "-",
                        point.against_references ? to_text(*point.against_references) : "-");
  }
  return text;
}

nlohmann::ordered_json to_json(const PolicyPoint& point) {
  nlohmann::ordered_json json = {{"method", point.method},
                                 {"name", point.name},
                                 {"kl", point.kl},
                                 {"reward", point.reward.mean},
                                 {"reward_low", point.reward.low},
                                 {"reward_high", point.reward.high}};
  if (point.gold) {
    json["gold"] = point.gold->mean;
    json["gold_low"] = point.gold->low;
    json["gold_high"] = point.gold->high;
  }
  if (point.against_references) {
    json["win_rate_references"] = rate_json(*point.against_references);
  }
  return json;
}

}  // namespace precis
