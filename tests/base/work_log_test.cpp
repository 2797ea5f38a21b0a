#include "base/work_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/clock.hpp"

namespace precis {
namespace {

using testing::ElementsAre;

const WorkLog::Total& total(const WorkLog& log, WorkKind kind) {
  return log.totals()[static_cast<std::size_t>(kind)];
}

void pass_time() {
  const std::int64_t begin = monotonic_nanoseconds();
  while (monotonic_nanoseconds() - begin < 1000) {
  }
}

std::vector<std::string> names(const WorkLog& log, const WorkLog::Taken& taken) {
  std::vector<std::string> out;
  for (const WorkLog::Event& event : taken.events) {
    out.push_back(log.text_of(event.name));
  }
  return out;
}

TEST(WorkLog, CountsEachMomentOnce) {
  WorkLog log;
  log.keep_events(10);
  {
    const WorkScope backward(log, {.kind = WorkKind::backward, .micro_batch = 7});
    pass_time();
    {
      const WorkScope sum(log, {.kind = WorkKind::tensor_communication,
                                .name = "all-reduce",
                                .group = "learner.tp",
                                .bytes = 12});
      pass_time();
      { const WorkScope inner(log, {.kind = WorkKind::backward}); }
    }
    pass_time();
  }
  const auto taken = log.take_events();
  ASSERT_THAT(names(log, taken), ElementsAre("backward", "all-reduce", "backward"));
  const auto seconds = [&](std::size_t i) { return taken.events[i].end - taken.events[i].begin; };
  EXPECT_EQ(total(log, WorkKind::tensor_communication).nanoseconds, seconds(1) - seconds(0));
  EXPECT_EQ(total(log, WorkKind::tensor_communication).calls, 1);
  EXPECT_EQ(total(log, WorkKind::backward).nanoseconds, seconds(2) - seconds(1) + seconds(0));
  EXPECT_EQ(total(log, WorkKind::backward).calls, 2);
  EXPECT_EQ(total(log, WorkKind::forward).calls, 0);
  EXPECT_EQ(taken.events[2].number, 7);
  EXPECT_EQ(taken.events[2].track, WorkTrack::actions);
  EXPECT_EQ(taken.events[1].track, WorkTrack::communication);
  EXPECT_EQ(taken.events[1].bytes, 12);
  EXPECT_EQ(log.text_of(taken.events[1].group), "learner.tp");
  EXPECT_LE(seconds(2), log.nanoseconds());
}

TEST(WorkLog, TimeUntilTheRanksHaveMetIsWaiting) {
  WorkLog log;
  log.keep_events(10);
  {
    const WorkScope sum(log, {.kind = WorkKind::data_communication});
    pass_time();
    log.arrived();
    pass_time();
  }
  const auto event = log.take_events().events.at(0);
  EXPECT_GE(event.waited, 1000);
  EXPECT_GE(total(log, WorkKind::data_communication).nanoseconds, 1000);
  EXPECT_EQ(total(log, WorkKind::waiting).nanoseconds, event.waited);
  EXPECT_EQ(total(log, WorkKind::waiting).calls, 1);
  EXPECT_EQ(total(log, WorkKind::data_communication).nanoseconds + event.waited,
            event.end - event.begin);
  log.arrived();  // nobody waits: nothing happens
}

TEST(WorkLog, AWaitInsideOfACommunicationBelongsToIt) {
  WorkLog log;
  log.keep_events(10);
  {
    const WorkScope sum(log, {.kind = WorkKind::data_communication});
    const WorkScope wait(log, {.kind = WorkKind::waiting});
    pass_time();
  }
  EXPECT_EQ(total(log, WorkKind::waiting).nanoseconds, 0);
  EXPECT_EQ(total(log, WorkKind::waiting).calls, 0);
  EXPECT_EQ(total(log, WorkKind::data_communication).calls, 1);
  const auto taken = log.take_events();
  EXPECT_EQ(taken.events.at(0).waited, 0);
  EXPECT_EQ(total(log, WorkKind::data_communication).nanoseconds,
            taken.events.at(1).end - taken.events.at(1).begin);
  {
    const WorkScope backward(log, {.kind = WorkKind::backward});
    const WorkScope wait(log, {.kind = WorkKind::waiting});
    pass_time();
  }
  EXPECT_EQ(total(log, WorkKind::waiting).calls, 1);
  const auto wait = log.take_events().events.at(0);
  EXPECT_EQ(total(log, WorkKind::waiting).nanoseconds, wait.waited);
  EXPECT_EQ(wait.waited, wait.end - wait.begin);
}

TEST(WorkLog, KeepsTheNewestEvents) {
  WorkLog log;
  const auto add = [&](int count) {
    for (int i = 0; i < count; ++i) {
      log.add_event(WorkTrack::steps, "step", monotonic_nanoseconds(), i);
    }
  };
  const auto numbers = [](const WorkLog::Taken& taken) {
    std::vector<std::int64_t> out;
    for (const WorkLog::Event& event : taken.events) {
      out.push_back(event.number);
    }
    return out;
  };
  add(3);
  EXPECT_TRUE(log.take_events().events.empty()) << "events are not kept yet";
  log.keep_events(4);
  add(3);
  EXPECT_EQ(log.fullness(), 0.75);
  auto taken = log.take_events();
  EXPECT_THAT(numbers(taken), ElementsAre(0, 1, 2));
  EXPECT_EQ(taken.dropped, 0);
  EXPECT_EQ(log.fullness(), 0.0);
  add(11);
  taken = log.take_events();
  EXPECT_THAT(numbers(taken), ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(taken.dropped, 7);
  add(1);
  taken = log.take_events();
  EXPECT_THAT(numbers(taken), ElementsAre(0));
  EXPECT_EQ(taken.dropped, 0);
  EXPECT_EQ(log.texts(), 1);
}

TEST(WorkLog, PhasesAreEventsToo) {
  WorkLog log;
  log.keep_events(4);
  PhaseTimer phases;
  phases.show_in(log);
  {
    const auto timed = phases.phase("gradient");
    pass_time();
  }
  const auto taken = log.take_events();
  ASSERT_THAT(names(log, taken), ElementsAre("gradient"));
  EXPECT_EQ(taken.events[0].track, WorkTrack::phases);
  EXPECT_NEAR(phases.seconds().at("gradient"),
              1e-9 * static_cast<double>(taken.events[0].end - taken.events[0].begin), 1e-3);
  for (const WorkLog::Total& kind : log.totals()) {
    EXPECT_EQ(kind.calls, 0);
  }
}

}  // namespace
}  // namespace precis
