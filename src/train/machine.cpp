#include "train/machine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/system_call.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

/// Threads beyond it are a mistake: the system may refuse to start them, which ends the program.
constexpr int most_threads_a_core = 32;

/// The cores that this rank may run on.
int allowed_cores() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  require_system(sched_getaffinity(0, sizeof mine, &mine) == 0,
                 "cannot ask which cores this process may run on");
  return CPU_COUNT(&mine);
}

/// An equal part of the cores that this rank may run on: all of them if it is bound to fewer than
/// the node has, else those of the node divided among its ranks.
int threads_for(const MpiSession& mpi) {
  const int allowed = allowed_cores();
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

Machine start_machine(MachineOptions& options, MpiSession& mpi, Log& log,
                      const std::string& layout) {
  const bool several = mpi.size() > 1;
  if (several && options.device == "cuda") {
    fail_usage(
        "device = cuda was asked for with {} ranks; this version computes on a GPU with one.",
        mpi.size());
  }
  Device device = open_device(several ? "cpu" : options.device,
                              options.precision.empty() ? "auto" : options.precision);
  options.precision = name_of(device.precision());
  const int cores = allowed_cores();
  if (const std::int64_t most = std::int64_t{most_threads_a_core} * cores; options.threads > most) {
    fail_usage(
        "threads is {}, but this rank may use {}: at most {} are taken, {} a core. Give 0 for as "
        "many as cores.",
        options.threads, counted(cores, "core"), counted(most, "thread"), most_threads_a_core);
  }
  const int threads =
      set_threads(options.threads > 0 ? static_cast<int>(options.threads) : threads_for(mpi));
  if (options.threads > cores) {
    log.warning("threads is {}, but this rank may use {}: more threads than cores are slower.",
                options.threads, counted(cores, "core"));
  }
  const std::string text = fmt::format("{} ({}), {} each, {} ({}), {}", counted(mpi.size(), "rank"),
                                       layout, counted(threads, "thread"), device.backend().name,
                                       device.backend().describe(), options.precision);
  log.info("Running on {}.", text);
  return {std::move(device), threads, text};
}

void log_peak_memory(Log& log, RankGroup& world, const Memory& memory) {
  const MemoryCount& mine = memory.peak();
  const std::int64_t most = all_max(world, mine.total());
  const std::int64_t rank =
      all_max(world, mine.total() == most ? std::int64_t{world.rank()} : std::int64_t{-1});
  const std::string text =
      fmt::format("Peak {} of tensors{}: {} of {} ({}).", memory.name(),
                  world.size() == 1 ? "" : fmt::format(", on rank {}", rank),
                  byte_size(static_cast<std::uint64_t>(most)),
                  byte_size(static_cast<std::uint64_t>(memory.space().total)), to_string(mine));
  log.info("{}", world.broadcast_text(text, static_cast<int>(rank)));
}

}  // namespace precis
