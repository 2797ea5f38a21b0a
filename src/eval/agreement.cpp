#include "eval/agreement.hpp"

#include <algorithm>
#include <set>

namespace precis {

std::map<std::string, Agreement> agreement_of(const std::vector<ScoredPair>& pairs) {
  const auto count = [](Share& share, bool agreed) {
    ++share.pairs;
    share.agreed += agreed ? 1 : 0;
  };
  const auto prefers = [](const std::array<double, 2>& scores, int choice) {
    return choice == 1 ? scores[1] > scores[0] : scores[0] > scores[1];
  };
  std::map<std::string, Agreement> result;
  for (const ScoredPair& pair : pairs) {
    for (const std::string& group : std::set<std::string>{"all", pair.group}) {
      Agreement& agreement = result[group];
      count(agreement.choice, prefers(pair.rewards, pair.choice));
      if (pair.gold[0] != pair.gold[1]) {
        const int better = pair.gold[1] > pair.gold[0] ? 1 : 0;
        count(agreement.gold, prefers(pair.rewards, better));
        count(agreement.labeler_gold, pair.choice == better);
      }
    }
  }
  return result;
}

std::string policy_pair(const Comparison& comparison) {
  const auto& [a, b] = comparison.policies;
  return std::min(a, b) + "-" + std::max(a, b);
}

}  // namespace precis
