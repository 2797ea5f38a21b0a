#include "train/machine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

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

constexpr const char* threads_variable = "OMP_NUM_THREADS";

/// The threads that the environment asks for, 0 if it does not. OpenMP's list has one number for
/// each level of nesting; the first counts.
std::int64_t threads_of_environment() {
  const char* const variable = std::getenv(threads_variable);
  std::string_view text = variable == nullptr ? "" : variable;
  text = text.substr(0, text.find(','));
  if (text.empty()) {
    return 0;
  }
  std::int64_t threads = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, threads);
  if (error != std::errc{} || stop != end || threads < 1) {
    fail_usage("{} is '{}', expected a number of threads from 1. Unset it, or give --threads.",
               threads_variable, variable);
  }
  return threads;
}

/// An equal part of the cores that this rank may run on: all of them if it is bound to fewer than
/// the node has, else those of the node divided among its ranks.
int equal_part_of_cores(const MpiSession& mpi) {
  const int allowed = allowed_cores();
  const auto online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, allowed < online ? allowed : online / mpi.node_size());
}

/// The threads of this rank, by the key, else by the environment, else by the cores.
int choose_threads(std::int64_t key, const MpiSession& mpi, Log& log) {
  const std::int64_t environment = key > 0 ? 0 : threads_of_environment();
  const char* const name = environment > 0 ? threads_variable : "threads";
  const std::int64_t threads = std::max(key, environment);
  const int cores = allowed_cores();
  if (const std::int64_t most = std::int64_t{most_threads_a_core} * cores; threads > most) {
    fail_usage("{} is {}, but this rank may use {}: at most {} are taken, {} a core. {}", name,
               threads, counted(cores, "core"), counted(most, "thread"), most_threads_a_core,
               environment > 0 ? "Unset it, or give --threads." : "Give 0 for as many as cores.");
  }
  if (threads > cores) {
    log.warning("{} is {}, but this rank may use {}: more threads than cores are slower.", name,
                threads, counted(cores, "core"));
  } else if (environment > 0 && environment < equal_part_of_cores(mpi)) {
    log.info("{} is {}, of the {} that this rank may use; --threads overrides it.", name,
             environment, counted(equal_part_of_cores(mpi), "core"));
  }
  return threads > 0 ? static_cast<int>(threads) : equal_part_of_cores(mpi);
}

}  // namespace

GridShape grid_of(const MachineOptions& options, const MpiSession& mpi) {
  if (options.grid.empty()) {
    return {.dp = mpi.size(), .pp = 1, .tp = 1};
  }
  const GridShape grid = parse_grid(options.grid, "grid");
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
  const int threads = set_threads(choose_threads(options.threads, mpi, log));
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
