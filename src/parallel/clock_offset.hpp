// The clocks of ranks, compared: those of one node are one, those of others began at other times.
#pragma once

#include <cstdint>

#include "parallel/rank_group.hpp"

namespace precis {

/// Collective: by how many nanoseconds this rank's `monotonic_nanoseconds` is ahead of rank 0's. It
/// is the middle of the shortest of some round trips (Cristian 1989), so it is wrong by no more
/// than half of that; 0 where that cannot be told from one clock.
[[nodiscard]] std::int64_t clock_offset(RankGroup& ranks);

}  // namespace precis
