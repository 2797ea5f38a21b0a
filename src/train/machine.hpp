// What a computing command runs on: device, threads, layout.
#pragma once

#include <string>

#include "base/log.hpp"
#include "device/device.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/process_grid.hpp"
#include "train/machine_options.hpp"

namespace precis {

struct Machine {
  Device device;
  int threads = 1;
  /// "4 ranks (dp=4,pp=1,tp=1), 1 thread each, cpu (AVX-512, ...), f32": what reproducibility to
  /// the bit rests on.
  std::string layout;
};

/// Chooses device, precision (put into `options`) and threads, and says so. `layout` is the grid or
/// the roles, in words. Throws UsageError for a device or a precision that this machine or this
/// version does not have.
[[nodiscard]] Machine start_machine(MachineOptions& options, MpiSession& mpi, Log& log,
                                    const std::string& layout);

/// Collective: says how much memory the rank that held the most held at its peak, and what for.
void log_peak_memory(Log& log, RankGroup& world, const Memory& memory);

/// The grid of a command with one role: `grid`, or dp = number of ranks. Throws UsageError unless
/// it fits the ranks.
[[nodiscard]] GridShape grid_of(const MachineOptions& options, const MpiSession& mpi);

}  // namespace precis
