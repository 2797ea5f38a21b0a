// Requests to stop before a run's last step: a signal, the end of the allocation, so many steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/signals.hpp"
#include "parallel/rank_group.hpp"
#include "train/allocation_end.hpp"
#include "train/signal_answers.hpp"

namespace precis {

/// What a rank asks for at the end of a step; the largest of all ranks counts.
namespace request {
inline constexpr std::int64_t go_on = 0;
inline constexpr std::int64_t checkpoint = 1;
inline constexpr std::int64_t stop_after = 2;
inline constexpr std::int64_t end_of_allocation = 3;
inline constexpr std::int64_t signal_received = 1000;  ///< plus the signal's number
}  // namespace request

/// What may end a launch before the run's last step: a signal, the end of the allocation, or as
/// many steps as were asked for.
class StopRequests {
 public:
  /// `stop_after`: steps of this launch, 0 for no limit.
  StopRequests(RankGroup& world, Log& log, std::int64_t stop_after);
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;

  /// By the key `end_time` or by Slurm, see `find_allocation_end`.
  void find_end(const std::string& end_time) {
    allocation_end_ = find_allocation_end(end_time, log_);
  }
  /// From here to `end_watch` a signal asks for a stop. Logs how this run can be stopped.
  void begin_watch();
  void end_watch() { signals_.reset(); }

  /// This rank's request after so many steps of the launch, if another step and a save may take
  /// `seconds`: a stop, or `go_on`.
  [[nodiscard]] std::int64_t request_after(std::int64_t steps, double seconds) const;
  /// The cause of a stop that the ranks have agreed on, in words.
  [[nodiscard]] std::string cause_of(std::int64_t stop) const;

 private:
  RankGroup& world_;
  Log& log_;
  std::int64_t stop_after_;
  std::optional<AllocationEnd> allocation_end_;
  std::optional<StopSignals> signals_;
};

}  // namespace precis
