// How often a reward model agrees with its labelers and with the gold labeler.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/estimates.hpp"
#include "data/comparisons.hpp"
#include "synthetic/gold_scores.hpp"

namespace precis {

/// A share of pairs, counted; where the reward model has no preference, a half.
struct Share {
  double agreed = 0;
  std::int64_t pairs = 0;
  Rate rate;  ///< with its interval over posts, if there are pairs
  [[nodiscard]] double value() const { return pairs > 0 ? agreed / static_cast<double>(pairs) : 0; }
};

struct Agreement {
  Share choice;           ///< the higher reward is the labeler's choice
  Share gold;             ///< the higher reward is the higher gold score; ties of gold are left out
  Share labeler_gold;     ///< the labeler's choice is the higher gold score; ties of gold left out
  std::int64_t ties = 0;  ///< pairs with equal rewards
};

/// A judged pair with the rewards and the gold scores of its two summaries.
struct ScoredPair {
  int choice = 0;
  std::array<double, 2> rewards{};
  std::array<double, 2> gold{};
  std::string group = "all";  ///< for a breakdown, such as "ref-sft"
  std::uint64_t post = 0;     ///< as in PostValue
};

/// Over all pairs under the name "all", and over each group. Equal rewards agree by half, as in
/// `valid_accuracy` of training.
[[nodiscard]] std::map<std::string, Agreement> agreement_of(const std::vector<ScoredPair>& pairs);

/// "ref-sft": the two policies of a comparison in alphabetical order.
[[nodiscard]] std::string policy_pair(const Comparison& comparison);

}  // namespace precis
