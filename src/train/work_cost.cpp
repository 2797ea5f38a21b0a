#include "train/work_cost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/clock.hpp"

namespace precis {
namespace {

/// Seconds that the larger measurement is to take.
constexpr double target_seconds = 2;

std::int64_t least(RankGroup& ranks, std::int64_t mine) { return -all_max(ranks, -mine); }

}  // namespace

std::string seconds_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.2g} s", seconds) : duration_text(seconds);
}

WorkCost measure_cost(RankGroup& ranks, Device& device, const MeasuredWork& work) {
  const auto seconds_of = [&](std::int64_t rows) {
    double seconds = 0;
    for (int time = 0; time < 2; ++time) {
      const Stopwatch watch;
      if (work.run) {
        work.run(rows);
        device.backend().synchronize(device.queue());
      }
      seconds = watch.seconds();
    }
    return seconds;
  };
  const double of_one = seconds_of(1);
  const double wanted = target_seconds / std::max(of_one, 1e-6);
  const std::int64_t rows =
      least(ranks, work.run ? std::clamp<std::int64_t>(
                                  static_cast<std::int64_t>(std::min(wanted, 1e6)), 1, work.most)
                            : std::numeric_limits<std::int64_t>::max());
  const double of_rows = seconds_of(rows);
  if (!work.run) {
    return {};
  }
  const auto few = static_cast<double>(work.tokens(1));
  const auto many = static_cast<double>(work.tokens(rows));
  if (many <= few || of_rows <= of_one) {
    return {.fixed = 0, .a_token = of_rows / std::max(1.0, many)};
  }
  const double a_token = (of_rows - of_one) / (many - few);
  return {.fixed = std::max(0.0, of_one - a_token * few), .a_token = a_token};
}

}  // namespace precis
