// Wins, ties and losses, overall and at equal length, for any judge.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "eval/length_control.hpp"

namespace precis {

/// A judged pair of summaries.
struct PairOutcome {
  double margin = 0;  ///< above 0: a is better; 0: a tie
  std::int64_t words_a = 0;
  std::int64_t words_b = 0;
  std::uint64_t post = 0;  ///< as in PostValue
};

struct WinCount {
  std::int64_t wins = 0;  ///< of a
  std::int64_t ties = 0;
  std::int64_t losses = 0;
  Rate win_rate;  ///< (wins + ties/2) / comparisons, in which posts or rows count the same
  EqualLength equal_length;
};

/// `pairs` must not be empty.
[[nodiscard]] WinCount count_wins(std::span<const PairOutcome> pairs, Weight weight,
                                  const SideNames& names = {});

/// "a", "b" or "tie"
[[nodiscard]] std::string winner_of(double margin);

[[nodiscard]] nlohmann::ordered_json to_json(const WinCount& count);
/// Two sentences.
[[nodiscard]] std::string to_text(const WinCount& count);

}  // namespace precis
