#include "base/clock.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "base/error.hpp"
#include "base/work_log.hpp"

namespace precis {
namespace {

[[noreturn]] void fail_end_time(std::string_view text) {
  fail_usage(
      "end_time is '{}', expected seconds since 1970, or YYYY-MM-DDTHH:MM:SS with Z or an offset "
      "like +01:00 (without: local time), or none.",
      text);
}

/// The number that is all of `text`, digits only.
std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

/// YYYY-MM-DDTHH:MM:SS as calendar fields; nothing if it has another form or is no date.
std::optional<std::tm> calendar_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() != form.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !is_digit : text[i] != form[i]) {
      return std::nullopt;
    }
  }
  const auto field = [text](std::size_t place, std::size_t length) {
    return static_cast<int>(*digits(text.substr(place, length)));
  };
  std::tm time{};
  time.tm_year = field(0, 4) - 1900;
  time.tm_mon = field(5, 2) - 1;
  time.tm_mday = field(8, 2);
  time.tm_hour = field(11, 2);
  time.tm_min = field(14, 2);
  time.tm_sec = field(17, 2);
  time.tm_isdst = -1;
  // The C library turns 31 April into 1 May; here it is a mistake.
  std::tm normal = time;
  timegm(&normal);
  if (normal.tm_mon != time.tm_mon || normal.tm_mday != time.tm_mday ||
      normal.tm_hour != time.tm_hour || normal.tm_min != time.tm_min) {
    return std::nullopt;
  }
  return time;
}

/// Seconds east of Greenwich for "Z" or "+HH:MM"; nothing for another form.
std::optional<std::int64_t> zone_offset(std::string_view zone) {
  if (zone == "Z") {
    return 0;
  }
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') {
    return std::nullopt;
  }
  const auto hours = digits(zone.substr(1, 2));
  const auto minutes = digits(zone.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) {
    return std::nullopt;
  }
  const std::int64_t seconds = *hours * 3600 + *minutes * 60;
  return zone[0] == '-' ? -seconds : seconds;
}

}  // namespace

std::int64_t monotonic_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void PhaseTimer::reset() {
  for (auto& [phase, seconds] : seconds_) {
    seconds = 0;
  }
}

void PhaseTimer::leave(const std::string& phase, std::int64_t begin) {
  seconds_[phase] += 1e-9 * static_cast<double>(monotonic_nanoseconds() - begin);
  if (log_ != nullptr) {
    log_->add_event(WorkTrack::phases, phase, begin);
  }
}

std::string utc_time(TimePoint time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(
                                                  std::chrono::floor<std::chrono::seconds>(time))));
}

std::string utc_now() { return utc_time(std::chrono::system_clock::now()); }

std::optional<TimePoint> parse_end_time(std::string_view text) {
  if (text.empty() || text == "none") {
    return std::nullopt;
  }
  // More digits would not fit the clock's nanoseconds.
  if (const auto seconds = text.size() <= 10 ? digits(text) : std::nullopt) {
    return TimePoint{std::chrono::seconds{*seconds}};
  }
  constexpr std::size_t calendar_length = 19;
  const auto calendar = calendar_time(text.substr(0, calendar_length));
  if (!calendar) {
    fail_end_time(text);
  }
  std::tm fields = *calendar;
  const std::string_view zone = text.substr(calendar_length);
  if (zone.empty()) {
    return std::chrono::system_clock::from_time_t(std::mktime(&fields));
  }
  const auto offset = zone_offset(zone);
  if (!offset) {
    fail_end_time(text);
  }
  return std::chrono::system_clock::from_time_t(timegm(&fields)) - std::chrono::seconds{*offset};
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  if (whole < 60) {
    return fmt::format("{} s", whole);
  }
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace precis
