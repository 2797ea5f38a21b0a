#include "eval/win_count.hpp"

#include <fmt/format.h>

#include <vector>

namespace precis {

WinCount count_wins(std::span<const PairOutcome> pairs) {
  WinCount count;
  std::vector<LengthObservation> observations;
  for (const PairOutcome& pair : pairs) {
    ++(pair.margin > 0 ? count.wins : pair.margin < 0 ? count.losses : count.ties);
    observations.push_back({.win = pair.margin > 0   ? 1.0
                                   : pair.margin < 0 ? 0.0
                                                     : 0.5,
                            .log_ratio = log_length_ratio(static_cast<double>(pair.words_a),
                                                          static_cast<double>(pair.words_b)),
                            .group = pair.group});
  }
  count.win_rate =
      wilson_interval(static_cast<double>(count.wins) + 0.5 * static_cast<double>(count.ties),
                      static_cast<std::int64_t>(pairs.size()));
  count.equal_length = win_rate_at_equal_length(observations);
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
      "a wins {}, ties {}, loses {} of {} comparisons: win rate {:.3f} (wins and half of the ties; "
      "95% interval {:.3f} to {:.3f}).\n{}\n",
      count.wins, count.ties, count.losses, count.wins + count.ties + count.losses,
      count.win_rate.rate, count.win_rate.low, count.win_rate.high, to_text(count.equal_length));
}

}  // namespace precis
