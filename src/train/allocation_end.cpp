#include "train/allocation_end.hpp"

#include <chrono>
#include <cstdlib>

#include "base/error.hpp"

namespace precis {

std::optional<AllocationEnd> find_allocation_end(const std::string& end_time, Log& log) {
  const auto now = std::chrono::system_clock::now();
  if (!end_time.empty()) {
    const auto time = parse_end_time(end_time);
    if (time && *time <= now) {
      fail_usage(
          "end_time is {}, which is past: it is {}. Give the time when this allocation ends, or "
          "none.",
          utc_time(*time), utc_time(now));
    }
    return time ? std::optional<AllocationEnd>({*time, "end_time"}) : std::nullopt;
  }
  constexpr const char* variable = "SLURM_JOB_END_TIME";
  const char* const text = std::getenv(variable);
  if (text == nullptr || *text == '\0') {
    return std::nullopt;
  }
  std::optional<TimePoint> time;
  try {
    time = parse_end_time(text);
  } catch (const UsageError&) {
    fail("{} is '{}', which is no time. Unset it, or give --end_time.", variable, text);
  }
  if (time && *time <= now) {
    log.warning("{} is {}, which is past: this launch has no end.", variable, utc_time(*time));
    return std::nullopt;
  }
  return time ? std::optional<AllocationEnd>({*time, variable}) : std::nullopt;
}

}  // namespace precis
