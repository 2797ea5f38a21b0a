#include "train/machine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"

namespace precis {
namespace {

/// An equal part of the cores that this rank may run on: all of them if it is bound to fewer than
/// the node has, else those of the node divided among its ranks.
int threads_for(const MpiSession& mpi) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  require(sched_getaffinity(0, sizeof mine, &mine) == 0, "{}", with_errno("sched_getaffinity"));
  const int allowed = CPU_COUNT(&mine);
  const auto online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, allowed < online ? allowed : online / mpi.node_size());
}

}  // namespace

GridShape data_parallel_grid(const MachineOptions& options, const MpiSession& mpi) {
  if (options.grid.empty()) {
    return {.dp = mpi.size(), .pp = 1, .tp = 1};
  }
  const GridShape grid = parse_grid(options.grid, "grid");
  require_data_parallel_only(grid, "grid");
  require_grid_fits(grid, mpi.size(), "grid");
  return grid;
}

Machine start_machine(const MachineOptions& options, MpiSession& mpi, Log& log,
                      const std::string& layout) {
  if (options.precision != "f32") {
    fail_usage(
        "precision is {}; on the CPU this version computes in f32 only. Use precision = f32.",
        options.precision);
  }
  Device device = open_device(options.device);
  const int threads =
      set_threads(options.threads > 0 ? static_cast<int>(options.threads) : threads_for(mpi));
  const std::string text = fmt::format("{} {} ({}), {} {} each, {} ({}), {}", mpi.size(),
                                       mpi.size() == 1 ? "rank" : "ranks", layout, threads,
                                       threads == 1 ? "thread" : "threads", device.backend().name,
                                       device.backend().describe(), options.precision);
  log.info("Running on {}.", text);
  return {std::move(device), threads, text};
}

}  // namespace precis
