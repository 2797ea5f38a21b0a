// Why a run stops before its last step, and what its user is told about it.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "parallel/launcher.hpp"

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

/// The answer to a signal: what the run does now, and under mpirun, which ends its ranks two
/// seconds after most of them, how to save.
[[nodiscard]] std::string acknowledgement(const StopSignals::Wish& wish,
                                          const std::optional<Mpirun>& mpirun);

/// What has been reached by a run that is not training at the moment.
struct Standstill {
  /// What the same command would do if the program ended now: "goes on from FILE", "begins the
  /// run".
  std::string next;
  /// Whether the run folder has a deck: then the end has status 75, as after a save.
  bool has_deck = false;
};

/// While it lives, a signal ends the program at once and says that nothing is lost and what the
/// same command does next: before the first step of a launch, and after its last.
class EndsWithoutLoss {
 public:
  /// Throws Error if a pipe cannot be made.
  EndsWithoutLoss(Log& log, Standstill standstill);

 private:
  SignalWatch watch_;
};

/// "SIGTERM was received", and under mpirun which other signals it may stand for.
[[nodiscard]] std::string received_text(int signal, bool under_mpirun);

/// How to stop a run whose mpirun has a terminal: Ctrl-C there does not save.
[[nodiscard]] std::string how_to_stop(const Mpirun& mpirun);

}  // namespace precis
