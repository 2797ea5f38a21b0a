// What a rank asks for at the end of a step: a stop with its cause, a checkpoint, or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/signals.hpp"
#include "parallel/rank_group.hpp"
#include "train/stopping.hpp"

namespace precis {

/// The largest wish of all ranks counts. A signal's is `signal_received` plus its number.
enum Wish : std::int64_t {
  go_on,
  checkpoint,
  stop_after,
  end_of_allocation,
  signal_received = 1000
};

/// What may end a launch before the run's last step: a signal, the end of the allocation, or as
/// many steps as were asked for.
class StopWishes {
 public:
  /// `stop_after`: steps of this launch, 0 for no limit.
  StopWishes(RankGroup& world, Log& log, std::int64_t stop_after);
  StopWishes(const StopWishes&) = delete;
  StopWishes& operator=(const StopWishes&) = delete;

  /// By the key `end_time` or by Slurm, see `find_allocation_end`.
  void find_end(const std::string& end_time) {
    allocation_end_ = find_allocation_end(end_time, log_);
  }
  /// From here to `end_watch` a signal asks for a stop. Logs how this run can be stopped.
  void begin_watch();
  void end_watch() { signals_.reset(); }

  /// This rank's wish after so many steps of the launch, if another step and a save may take
  /// `seconds`: a stop, or `go_on`.
  [[nodiscard]] std::int64_t wish(std::int64_t steps, double seconds) const;
  /// The cause of a stop that the ranks have agreed on, in words.
  [[nodiscard]] std::string cause_of(std::int64_t wish) const;

 private:
  RankGroup& world_;
  Log& log_;
  std::int64_t stop_after_;
  std::optional<AllocationEnd> allocation_end_;
  std::optional<StopSignals> signals_;
};

}  // namespace precis
