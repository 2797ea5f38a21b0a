// How often a reward model agrees with its labelers and with the gold labeler.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/comparisons.hpp"
#include "feedback/gold_of.hpp"

namespace precis {

/// A share of pairs, counted.
struct Share {
  std::int64_t agreed = 0;
  std::int64_t pairs = 0;
  [[nodiscard]] double value() const {
    return pairs > 0 ? static_cast<double>(agreed) / static_cast<double>(pairs) : 0;
  }
};

struct Agreement {
  Share choice;        ///< the higher reward is the labeler's choice
  Share gold;          ///< the higher reward is the higher gold score; ties of gold are left out
  Share labeler_gold;  ///< the labeler's choice is the higher gold score; ties of gold left out
};

/// A judged pair with the rewards and the gold scores of its two summaries.
struct ScoredPair {
  int choice = 0;
  std::array<double, 2> rewards{};
  std::array<double, 2> gold{};
  std::string group = "all";  ///< for a breakdown, such as "ref-sft"
};

/// Over all pairs under the name "all", and over each group. Equal rewards agree with nothing.
[[nodiscard]] std::map<std::string, Agreement> agreement_of(const std::vector<ScoredPair>& pairs);

/// "ref-sft": the two policies of a comparison in alphabetical order.
[[nodiscard]] std::string policy_pair(const Comparison& comparison);

}  // namespace precis
