// Time: a steady stopwatch, seconds by phase, and time stamps.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace precis {

class WorkLog;

/// Nanoseconds of the node's monotonic clock: comparable between the processes of one node.
[[nodiscard]] std::int64_t monotonic_nanoseconds();

/// Measures elapsed time on a clock that is never set.
class Stopwatch {
 public:
  /// Since construction or the last restart.
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Seconds spent in each named phase of a step, for the `seconds_*` metrics. One thread only.
class PhaseTimer {
 public:
  /// Adds the time from its construction to its end to one phase.
  class Scope {
   public:
    Scope(PhaseTimer& timer, std::string phase)
        : timer_(timer), phase_(std::move(phase)), begin_(monotonic_nanoseconds()) {}
    ~Scope() { timer_.leave(phase_, begin_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PhaseTimer& timer_;
    std::string phase_;
    std::int64_t begin_;
  };

  /// Times the enclosing block as part of `phase`: `const auto timed = timer.phase("rollout");`
  [[nodiscard]] Scope phase(const std::string& phase) { return {*this, phase}; }
  void add(const std::string& phase, double seconds) { seconds_[phase] += seconds; }
  /// Each phase that ends is an event of `log` too, which must outlive the timer.
  void show_in(WorkLog& log) { log_ = &log; }
  /// Seconds by phase since construction or the last reset.
  [[nodiscard]] const std::map<std::string, double>& seconds() const { return seconds_; }
  /// Sets every phase to 0. No scope may be open.
  void reset();

 private:
  void leave(const std::string& phase, std::int64_t begin);

  std::map<std::string, double> seconds_;
  WorkLog* log_ = nullptr;
};

using TimePoint = std::chrono::system_clock::time_point;

/// "2026-11-23T10:44:11Z".
[[nodiscard]] std::string utc_time(TimePoint time);
[[nodiscard]] std::string utc_now();

/// The time that `end_time` names: seconds since 1970 (Slurm's SLURM_JOB_END_TIME), or
/// YYYY-MM-DDTHH:MM:SS followed by Z, an offset as +01:00, or nothing for local time. Empty or
/// "none": none. Throws UsageError for anything else.
[[nodiscard]] std::optional<TimePoint> parse_end_time(std::string_view text);

/// "3 min 20 s", "2 h 05 min", "12 s".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace precis
