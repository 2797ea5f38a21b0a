// How far a policy was optimised against a learned reward, and what that did to the true one.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/best_of_n.hpp"
#include "feedback/samples.hpp"

namespace precis {

/// A policy on the way from the supervised model to one that optimises the learned reward too far:
/// a point of figure 5 of Stiennon et al. 2020.
struct PolicyPoint {
  std::string method;  ///< points of one method are joined by a line: "KL coefficient 0.02"
  std::string name;    ///< "step 10"
  double kl = 0;       ///< to the supervised model, nats per summary
  Mean reward;
  std::optional<Mean> gold;
  std::optional<Rate> against_references;  ///< win rate under gold
};

/// The files of one policy, all of the same rows.
struct PolicyFiles {
  std::string samples;  ///< of `precis sample` at temperature 1
  std::string rewards;  ///< of `precis score` for these samples with the reward model
  std::string scores;   ///< the same with the supervised model; empty: it is this policy, KL 0
};

/// Throws Error where the files do not belong together.
[[nodiscard]] PolicyPoint policy_point(const std::string& method, const std::string& name,
                                       const std::vector<GoldRow>& rows, const PolicyFiles& files);

[[nodiscard]] std::vector<PolicyPoint> policy_points(const std::string& method,
                                                     const std::vector<BestOfN>& table);

/// A line a point: KL and its root, reward, gold and win rate with their intervals.
[[nodiscard]] std::string to_text(const std::vector<PolicyPoint>& points);
/// One flat object, as `precis report` reads it from overoptimize.jsonl.
[[nodiscard]] nlohmann::ordered_json to_json(const PolicyPoint& point);

}  // namespace precis
