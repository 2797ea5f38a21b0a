// The time of work as a fixed part and a part that grows with its tokens, from measurements.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "device/device.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

struct WorkCost {
  double fixed = 0;    ///< seconds
  double a_token = 0;  ///< seconds
  [[nodiscard]] double of(double tokens) const { return fixed + a_token * tokens; }
};

/// "0.042 s", "3.1 s", "2 min 05 s".
[[nodiscard]] std::string seconds_text(double seconds);

/// Work on the first `rows` of some rows, and how many tokens they have.
struct MeasuredWork {
  std::function<void(std::int64_t rows)> run;
  std::function<std::int64_t(std::int64_t rows)> tokens;
  std::int64_t most = 1;  ///< rows
};

/// Collective: the work on one row and on as many as take a few seconds, each after a first time
/// that does not count. All ranks run as many rows; a rank with nothing to do may have `run` empty.
[[nodiscard]] WorkCost measure_cost(RankGroup& ranks, Device& device, const MeasuredWork& work);

}  // namespace precis
