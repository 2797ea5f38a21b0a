#include "eval/agreement.hpp"

#include <algorithm>
#include <set>

namespace precis {
namespace {

/// 1 where the scores are higher for `choice`, 0 where they are lower, 1/2 where they are equal.
double preference(const std::array<double, 2>& scores, int choice) {
  const auto chosen = static_cast<std::size_t>(choice);
  return scores[chosen] == scores[1 - chosen] ? 0.5 : scores[chosen] > scores[1 - chosen] ? 1 : 0;
}

/// What each pair adds to each share.
struct Outcomes {
  std::vector<PostValue> choice;
  std::vector<PostValue> gold;
  std::vector<PostValue> labeler_gold;
  std::int64_t ties = 0;
};

Share share_of(const std::vector<PostValue>& outcomes) {
  Share share{.agreed = 0, .pairs = static_cast<std::int64_t>(outcomes.size()), .rate = {}};
  for (const PostValue& outcome : outcomes) {
    share.agreed += outcome.value;
  }
  if (!outcomes.empty()) {
    share.rate = rate_over_posts(outcomes, Weight::rows);
  }
  return share;
}

}  // namespace

std::map<std::string, Agreement> agreement_of(const std::vector<ScoredPair>& pairs) {
  std::map<std::string, Outcomes> groups;
  for (const ScoredPair& pair : pairs) {
    for (const std::string& group : std::set<std::string>{"all", pair.group}) {
      Outcomes& outcomes = groups[group];
      outcomes.choice.push_back({pair.post, preference(pair.rewards, pair.choice)});
      outcomes.ties += pair.rewards[0] == pair.rewards[1] ? 1 : 0;
      if (pair.gold[0] != pair.gold[1]) {
        const int better = pair.gold[1] > pair.gold[0] ? 1 : 0;
        outcomes.gold.push_back({pair.post, preference(pair.rewards, better)});
        outcomes.labeler_gold.push_back({pair.post, pair.choice == better ? 1.0 : 0.0});
      }
    }
  }
  std::map<std::string, Agreement> result;
  for (const auto& [name, outcomes] : groups) {
    result[name] = {.choice = share_of(outcomes.choice),
                    .gold = share_of(outcomes.gold),
                    .labeler_gold = share_of(outcomes.labeler_gold),
                    .ties = outcomes.ties};
  }
  return result;
}

std::string policy_pair(const Comparison& comparison) {
  const auto& [a, b] = comparison.policies;
  return std::min(a, b) + "-" + std::max(a, b);
}

}  // namespace precis
