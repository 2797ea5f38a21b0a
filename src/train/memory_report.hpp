// The memory that every rank of a run will hold, as a table, and whether its machines have it.
#pragma once

#include <string>

#include "kernels/memory.hpp"
#include "parallel/mpi_session.hpp"

namespace precis {

/// One rank's part of a plan.
struct PlannedMemory {
  std::string role;  ///< "rollout", "all roles"; ranks of one role are shown together
  MemoryCount peak;
};

/// What is known of all ranks, on rank 0.
struct MemoryReport {
  std::string text;      ///< a table, then a line for each host
  std::string shortage;  ///< where it does not fit, and what to do; empty if it fits everywhere
};

/// Collective over the session's world. `memory` is that of the device which the run would use;
/// what it holds now is taken to be part of the plan. Host memory is shared by the ranks of a host.
/// Every rank gets the same report.
[[nodiscard]] MemoryReport report_memory(MpiSession& mpi, const Memory& memory,
                                         const PlannedMemory& mine);

}  // namespace precis
