#include "base/clock.hpp"

#include <cstdlib>
#include <ctime>

#include "support/expect_error.hpp"

namespace precis {
namespace {

constexpr std::int64_t moment = 1795430651;  // 2026-11-23T10:44:11Z

std::int64_t seconds_of(const char* text) {
  return std::chrono::duration_cast<std::chrono::seconds>(
             parse_end_time(text).value().time_since_epoch())
      .count();
}

TEST(Clock, UtcTime) {
  EXPECT_EQ(utc_time(TimePoint{std::chrono::seconds{moment}}), "2026-11-23T10:44:11Z");
  EXPECT_EQ(utc_time(TimePoint{std::chrono::milliseconds{-1}}), "1969-12-31T23:59:59Z");
  const std::int64_t before = seconds_of(utc_now().c_str());
  const std::int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  EXPECT_LE(before, now);
  EXPECT_LE(now, before + 60);
}

TEST(Clock, EndTimeForms) {
  EXPECT_EQ(parse_end_time(""), std::nullopt);
  EXPECT_EQ(seconds_of("1795430651"), moment);
  EXPECT_EQ(seconds_of("0"), 0);
  EXPECT_EQ(seconds_of("2026-11-23T10:44:11Z"), moment);
  EXPECT_EQ(seconds_of("2026-11-23T12:14:11+01:30"), moment);
  EXPECT_EQ(seconds_of("2026-11-23T02:44:11-08:00"), moment);
  EXPECT_EQ(seconds_of("2024-02-29T00:00:00Z"), 1709164800);
}

TEST(Clock, EndTimeWithoutZoneIsLocal) {
  const char* before = std::getenv("TZ");
  const std::string former = before == nullptr ? "" : before;
  setenv("TZ", "XYZ-2", 1);  // two hours east of Greenwich
  tzset();
  EXPECT_EQ(seconds_of("2026-11-23T12:44:11"), moment);
  before == nullptr ? unsetenv("TZ") : setenv("TZ", former.c_str(), 1);
  tzset();
}

TEST(Clock, WrongEndTimesAreUsageErrors) {
  for (const char* text :
       {"tomorrow", "-5", "12:30", "2026-11-23", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-23T25:00:00Z", "2026-11-23T10:44:11X", "2026-11-23T10:44:11+0100",
        "2026-11-23T10:44:11+ab:cd", "99999999999999999999", " 5"}) {
    EXPECT_THAT(message_of<UsageError>([&] { static_cast<void>(parse_end_time(text)); }),
                testing::HasSubstr(fmt::format("end_time is '{}'", text)));
  }
}

TEST(Clock, PhasesAddUp) {
  PhaseTimer timer;
  timer.add("rollout", 1.5);
  timer.add("rollout", 0.5);
  EXPECT_EQ(timer.seconds().at("rollout"), 2.0);
  Stopwatch around;
  {
    const auto timed = timer.phase("update");
    const Stopwatch wait;
    while (wait.seconds() < 0.002) {
    }
  }
  EXPECT_GE(timer.seconds().at("update"), 0.002);
  EXPECT_LE(timer.seconds().at("update"), around.seconds());
  timer.reset();
  EXPECT_EQ(timer.seconds().at("rollout"), 0.0);
}

TEST(Clock, Durations) {
  EXPECT_EQ(duration_text(-3), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
}

}  // namespace
}  // namespace precis
