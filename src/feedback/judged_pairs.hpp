// Comparisons joined by pair: what several labelers said about the same two summaries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/estimates.hpp"
#include "data/comparisons.hpp"

namespace precis {

/// Things that agreed of things that were compared.
struct AgreementCount {
  std::int64_t agreed = 0;
  std::int64_t pairs = 0;
  std::vector<PostValue> outcomes;  ///< 1 or 0 for each

  void add(bool agrees, std::uint64_t post) {
    agreed += agrees ? 1 : 0;
    ++pairs;
    outcomes.push_back({post, agrees ? 1.0 : 0.0});
  }
  AgreementCount& operator+=(const AgreementCount& other) {
    agreed += other.agreed;
    pairs += other.pairs;
    outcomes.insert(outcomes.end(), other.outcomes.begin(), other.outcomes.end());
    return *this;
  }
  /// The rate with its interval over posts; `pairs` must be above 0.
  [[nodiscard]] Rate rate() const { return rate_over_posts(outcomes, Weight::rows); }
};

/// A judgement. Choices are 0 for the text that comes first in alphabetical order, so that they
/// mean the same whatever the order in which a labeler was shown the two.
struct PairVote {
  std::size_t pair = 0;
  std::size_t labeler = 0;
  std::size_t batch = 0;
  int choice = 0;
  bool first_shown = false;       ///< the chosen one was shown first
  std::optional<int> confidence;  ///< 1 to 9, as in the file
};

struct JudgedPair {
  std::string id;  ///< pair_id
  Post post;
  std::uint64_t post_number = 0;
  std::array<std::string, 2> texts;  ///< in alphabetical order
  std::array<std::string, 2> policies;
  std::optional<int> gold;    ///< what the gold labeler prefers; nothing for a tie, or no gold
  std::optional<int> reward;  ///< what a reward model prefers; nothing for a tie, or no rewards
  std::vector<std::size_t> votes;  ///< places in JudgedPairs::votes
};

/// The same for any order of the comparisons.
struct JudgedPairs {
  std::vector<std::string> labelers;  ///< by name; "" is a missing name
  std::vector<std::string> batches;   ///< by name, numbers in it by their value
  std::vector<JudgedPair> pairs;      ///< by id
  /// A labeler's judgement of each pair, by pair and labeler. A duplicate counts once; of those
  /// with the same choice it is that of the first batch. A pair that a labeler has judged both ways
  /// says nothing of the two, so that the labeler has no vote on it. Those without a name may be of
  /// several people: each that differs in anything is a vote of the labeler "".
  std::vector<PairVote> votes;
  /// For each labeler with a name: how often two judgements of a pair agree that were made in
  /// different batches or orders of the texts. One of two in the same batch and order may be a
  /// copy.
  std::vector<AgreementCount> repeats;
  /// For each labeler with a name: pairs that were judged both ways.
  std::vector<std::int64_t> contradicted;
  std::int64_t repeated = 0;   ///< judgements whose labeler, pair and choice are there already
  std::int64_t identical = 0;  ///< comparisons of equal texts, left out
};

[[nodiscard]] JudgedPairs join_comparisons(const std::vector<Comparison>& comparisons);

/// Reads comparisons, names and globs. Throws Error for a row that cannot be read, and if there is
/// none.
[[nodiscard]] JudgedPairs read_judged_pairs(const std::vector<std::string>& files);

/// Sets `reward` from rows of `precis evaluate reward --output`: `pair`, `rewards` and `swapped`
/// (whether summary 0 comes later in alphabetical order). Rows that contradict each other are no
/// preference. Returns the number of pairs found. Throws Error for other rows, and if no pair is
/// found.
std::int64_t read_pair_rewards(const std::string& file, JudgedPairs& pairs);

/// How sure a confidence on the scale of 1 (surely the first) to 9 (surely the second) is: 0 to 4;
/// 0 where none was given.
[[nodiscard]] int sureness(const PairVote& vote);

/// "ann", or "(no name)".
[[nodiscard]] std::string shown_name(const std::string& labeler);

}  // namespace precis
