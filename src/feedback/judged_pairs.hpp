// Comparisons joined by pair: what several labelers said about the same two summaries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/comparisons.hpp"

namespace precis {

/// Things that agreed of things that were compared.
struct AgreementCount {
  std::int64_t agreed = 0;
  std::int64_t pairs = 0;
  void add(bool agrees) {
    agreed += agrees ? 1 : 0;
    ++pairs;
  }
  AgreementCount& operator+=(const AgreementCount& other) {
    agreed += other.agreed;
    pairs += other.pairs;
    return *this;
  }
};

/// A judgement. Choices are 0 for the text that comes first in alphabetical order, so that they
/// mean the same whatever the order in which a labeler was shown the two.
struct PairVote {
  std::size_t pair = 0;
  std::size_t labeler = 0;
  std::size_t batch = 0;
  int choice = 0;
  bool first_shown = false;       ///< the chosen one stood first
  std::optional<int> confidence;  ///< 1 to 9, as in the file
};

struct JudgedPair {
  std::string id;  ///< pair_id
  Post post;
  std::array<std::string, 2> texts;  ///< in alphabetical order
  std::array<std::string, 2> policies;
  std::optional<int> gold;    ///< what the gold labeler prefers; nothing for a tie, or no gold
  std::optional<int> reward;  ///< what a reward model prefers; nothing for a tie, or no rewards
  std::vector<std::size_t> votes;  ///< places in JudgedPairs::votes
};

struct JudgedPairs {
  std::vector<std::string> labelers;  ///< in order of appearance; "" is a missing name
  std::vector<std::string> batches;   ///< in order of appearance
  std::vector<JudgedPair> pairs;
  std::vector<PairVote> votes;          ///< a labeler's first judgement of each pair
  std::vector<AgreementCount> repeats;  ///< of each labeler: later judgements that are the first's
  std::int64_t identical = 0;           ///< comparisons of equal texts, left out
};

[[nodiscard]] JudgedPairs join_comparisons(const std::vector<Comparison>& comparisons);

/// Reads comparisons, names and globs. Throws Error for a row that cannot be read, and if there is
/// none.
[[nodiscard]] JudgedPairs read_judged_pairs(const std::vector<std::string>& files);

/// Sets `reward` from rows of `precis evaluate reward --output`: `pair`, `rewards` and `swapped`
/// (whether summary 0 comes later in alphabetical order). Returns the number of pairs found. Throws
/// Error for other rows, and if no pair is found.
std::int64_t read_pair_rewards(const std::string& file, JudgedPairs& pairs);

/// How sure a confidence on the scale of 1 (surely the first) to 9 (surely the second) is: 0 to 4;
/// 0 where none was given.
[[nodiscard]] int sureness(const PairVote& vote);

/// "ann", or "(no name)".
[[nodiscard]] std::string shown_name(const std::string& labeler);

}  // namespace precis
