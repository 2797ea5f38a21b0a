// What a user is told when a signal comes, and the end of a run that has nothing to lose.
#pragma once

#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/signals.hpp"
#include "parallel/launcher.hpp"
#include "parallel/progress_record.hpp"

namespace precis {

/// The answer to a signal: what the run does now, and under mpirun, which ends its ranks two
/// seconds after most of them, how to save.
[[nodiscard]] std::string acknowledgement(const StopSignals::Request& asked,
                                          const std::optional<Mpirun>& mpirun);

/// What the same command would do if the program ended now.
struct NextLaunch {
  std::string does;  ///< "goes on from FILE", "begins the run"
  /// Whether the run folder has a deck: then the end has status 75, as after a save.
  bool has_deck = false;
};

/// While it lives, a signal ends the program at once and says that nothing is lost and what the
/// same command does next: before the first step of a launch, and after its last.
class EndsWithoutLoss {
 public:
  /// Throws Error if a pipe cannot be made. `progress`: this rank's.
  EndsWithoutLoss(Log& log, NextLaunch next, ProgressRecord& progress);

 private:
  SignalWatch watch_;
};

/// "SIGTERM was received", and under mpirun which other signals it may stand for.
[[nodiscard]] std::string received_text(int signal, bool under_mpirun);

/// How to stop a run whose mpirun has a terminal: Ctrl-C there does not save.
[[nodiscard]] std::string how_to_stop(const Mpirun& mpirun);

}  // namespace precis
