// The end of a batch job's time, before which a run saves and stops.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace precis {

struct AllocationEnd {
  TimePoint time;
  std::string said_by;  ///< "end_time" or "SLURM_JOB_END_TIME"
};

/// When the allocation of this launch ends: by the key `end_time`, or where it is empty by Slurm's
/// environment. Nothing where neither says it; a past time of Slurm's, whose job may be given more
/// time, is not used, with a warning. Throws UsageError for an `end_time` that is past or is not a
/// time.
[[nodiscard]] std::optional<AllocationEnd> find_allocation_end(const std::string& end_time,
                                                               Log& log);

}  // namespace precis
