#include "feedback/agreement_matrix.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace precis {

AgreementMatrix agreement_matrix(const JudgedPairs& pairs, const std::vector<bool>& researchers) {
  using Kind = AgreementMatrix::Kind;
  AgreementMatrix matrix;
  const auto add_judge = [&](std::string name, Kind kind) {
    matrix.judges.push_back({std::move(name), kind});
    return matrix.judges.size() - 1;
  };
  const auto any = [&](std::optional<int> JudgedPair::*choice) {
    return std::any_of(pairs.pairs.begin(), pairs.pairs.end(),
                       [&](const JudgedPair& pair) { return (pair.*choice).has_value(); });
  };
  constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> judge_of(pairs.labelers.size());
  for (std::size_t l = 0; l < pairs.labelers.size(); ++l) {
    if (!researchers[l]) {
      judge_of[l] = add_judge(shown_name(pairs.labelers[l]), Kind::labeler);
    }
  }
  if (std::find(researchers.begin(), researchers.end(), true) != researchers.end()) {
    const auto group = add_judge("researchers", Kind::researchers);
    for (std::size_t l = 0; l < pairs.labelers.size(); ++l) {
      judge_of[l] = researchers[l] ? group : judge_of[l];
    }
  }
  const auto gold = any(&JudgedPair::gold) ? add_judge("gold", Kind::gold) : nobody;
  const auto reward = any(&JudgedPair::reward) ? add_judge("reward model", Kind::reward) : nobody;

  matrix.cells.assign(matrix.judges.size(), std::vector<AgreementCount>(matrix.judges.size()));
  std::vector<std::pair<std::size_t, int>> choices;  // judge and choice
  for (const JudgedPair& pair : pairs.pairs) {
    choices.clear();
    for (const std::size_t i : pair.votes) {
      choices.emplace_back(judge_of[pairs.votes[i].labeler], pairs.votes[i].choice);
    }
    if (pair.gold) {
      choices.emplace_back(gold, *pair.gold);
    }
    if (pair.reward) {
      choices.emplace_back(reward, *pair.reward);
    }
    for (std::size_t i = 0; i < choices.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto [a, choice_a] = choices[i];
        const auto [b, choice_b] = choices[j];
        matrix.cells[a][b].add(choice_a == choice_b, pair.post_number);
        if (a != b) {
          matrix.cells[b][a].add(choice_a == choice_b, pair.post_number);
        }
      }
    }
  }
  for (std::size_t l = 0; l < pairs.labelers.size(); ++l) {
    if (!researchers[l]) {
      matrix.cells[judge_of[l]][judge_of[l]] = pairs.repeats[l];
    }
  }
  return matrix;
}

}  // namespace precis
