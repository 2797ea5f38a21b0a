// Where the time of a launch went, as a table over its ranks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parallel/rank_group.hpp"

namespace precis {

struct WorkTable {
  /// One kind of work, or the rest, "other", which has no calls.
  struct Row {
    std::string name;
    std::int64_t calls = 0;  ///< of all ranks
    double seconds = 0;      ///< mean over the ranks
    double least = 0;        ///< seconds of the rank that had least of it
    double most = 0;
  };
  int ranks = 1;
  double wall = 0;        ///< seconds since MPI was started, mean over the ranks
  std::vector<Row> rows;  ///< kinds that occurred, in the order of WorkKind, then the rest
};

/// Collective: from the logs of all ranks; the same on each.
[[nodiscard]] WorkTable gather_work(RankGroup& world);

/// Parts of a whole in tenths of a percent: 1000 in all, each rounded down or up (those that lose
/// most by rounding down). All 0 for a whole of 0.
[[nodiscard]] std::vector<std::int64_t> shares_in_tenths(std::span<const double> parts);

/// Calls, seconds and share of the wall time by kind of work; with several ranks also the least and
/// most that a rank had.
[[nodiscard]] std::string to_text(const WorkTable& table);

}  // namespace precis
