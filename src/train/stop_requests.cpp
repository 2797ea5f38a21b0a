#include "train/stop_requests.hpp"

#include <fmt/format.h>

#include <chrono>

#include "io/partial_output.hpp"
#include "parallel/launcher.hpp"

namespace precis {
namespace {

/// Seconds that a save before the end of the allocation is given beside what steps and saves have
/// taken.
constexpr double margin_seconds = 20;

}  // namespace

StopRequests::StopRequests(RankGroup& world, Log& log, std::int64_t stop_after)
    : world_(world), log_(log), stop_after_(stop_after) {}

void StopRequests::begin_watch() {
  const auto mpirun = find_mpirun();
  if (allocation_end_) {
    log_.info("The allocation ends at {} ({}): the run saves and stops before.",
              utc_time(allocation_end_->time), allocation_end_->said_by);
  }
  if (mpirun && mpirun->terminal) {
    log_.info("{}", how_to_stop(*mpirun));
  }
  signals_.emplace(
      [this, mpirun](const StopSignals::Request& asked) {
        log_.info("{}", acknowledgement(asked, mpirun));
      },
      [this](int signal) {
        if (world_.rank() == 0) {
          log_.error("{} twice within five seconds: ended without saving.", signal_name(signal));
        }
        world_.progress().end();
        end_without_partial_outputs(signal);
      });
}

std::int64_t StopRequests::request_after(std::int64_t steps, double seconds) const {
  if (const int signal = signals_->received(); signal != 0) {
    return request::signal_received + signal;
  }
  if (allocation_end_) {
    const double left =
        std::chrono::duration<double>(allocation_end_->time - std::chrono::system_clock::now())
            .count();
    if (left < 2 * seconds + margin_seconds) {
      return request::end_of_allocation;
    }
  }
  return stop_after_ > 0 && steps >= stop_after_ ? request::stop_after : request::go_on;
}

std::string StopRequests::cause_of(std::int64_t stop) const {
  if (stop >= request::signal_received) {
    return fmt::format("{} was received",
                       signal_name(static_cast<int>(stop - request::signal_received)));
  }
  if (stop == request::end_of_allocation) {
    return allocation_end_ ? fmt::format("the allocation ends at {} ({})",
                                         utc_time(allocation_end_->time), allocation_end_->said_by)
                           : "the allocation of another rank ends";
  }
  return fmt::format("train.stop_after is {}", stop_after_);
}

}  // namespace precis
