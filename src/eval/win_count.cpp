#include "eval/win_count.hpp"

#include <fmt/format.h>

#include <vector>

namespace precis {

WinCount count_wins(std::span<const PairOutcome> pairs, Weight weight, const SideNames& names) {
  WinCount count;
  std::vector<PostValue> wins;
  std::vector<LengthObservation> observations;
  for (const PairOutcome& pair : pairs) {
    ++(pair.margin > 0 ? count.wins : pair.margin < 0 ? count.losses : count.ties);
    const double win = pair.margin > 0 ? 1.0 : pair.margin < 0 ? 0.0 : 0.5;
    wins.push_back({.post = pair.post, .value = win});
    observations.push_back({.win = win,
                            .log_ratio = log_length_ratio(static_cast<double>(pair.words_a),
                                                          static_cast<double>(pair.words_b)),
                            .post = pair.post});
  }
  count.win_rate = rate_over_posts(wins, weight);
  count.equal_length = win_rate_at_equal_length(observations, weight, names);
  return count;
}

std::string winner_of(double margin) { return margin > 0 ? "a" : margin < 0 ? "b" : "tie"; }

nlohmann::ordered_json to_json(const WinCount& count) {
  return {{"comparisons", count.wins + count.ties + count.losses},
          {"wins", count.wins},
          {"ties", count.ties},
          {"losses", count.losses},
          {"win_rate", count.win_rate.rate},
          {"win_rate_low", count.win_rate.low},
          {"win_rate_high", count.win_rate.high},
          {"equal_length", to_json(count.equal_length)}};
}

std::string to_text(const WinCount& count) {
  return fmt::format(
      "a wins {}, ties {}, loses {} of {} comparisons: win rate {}, by wins and half of the ties.\n"
      "{}\nIntervals are of 95% over posts.\n",
      count.wins, count.ties, count.losses, count.wins + count.ties + count.losses,
      to_text(count.win_rate), to_text(count.equal_length));
}

}  // namespace precis
