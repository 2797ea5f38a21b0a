// Schedules as lists: what must come before what, and how many micro-batches are in flight.
#include "train/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "base/random.hpp"
#include "train/schedule_simulator.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct NamedSchedule {
  const char* name;
  MakeSchedule make;
};
constexpr NamedSchedule all_schedules[]{
    {"gpipe", gpipe}, {"1f1b", one_forward_one_backward}, {"zb", zero_bubble}};

std::vector<std::vector<Action>> schedules_of_all_stages(MakeSchedule make, int stages,
                                                         std::int64_t micro_batches) {
  std::vector<std::vector<Action>> schedules;
  for (int stage = 0; stage < stages; ++stage) {
    schedules.push_back(make({.stage = stage, .stages = stages}, micro_batches));
  }
  return schedules;
}

/// Calls check(schedule, stages, micro-batches) for 1 to 8 stages and 0 to 16 micro-batches.
template <class Check>
void for_each_pipeline(const Check& check) {
  for (const NamedSchedule& schedule : all_schedules) {
    for (int stages = 1; stages <= 8; ++stages) {
      for (std::int64_t micro_batches = 0; micro_batches <= 16; ++micro_batches) {
        SCOPED_TRACE(
            fmt::format("{}, {} stages, {} micro-batches", schedule.name, stages, micro_batches));
        check(schedule, stages, micro_batches);
      }
    }
  }
}

TEST(Schedules, OnOneStageOneForwardOneBackwardTakesMicroBatchesOneAfterAnother) {
  using enum ActionKind;
  EXPECT_THAT(one_forward_one_backward({}, 0), IsEmpty());
  EXPECT_THAT(one_forward_one_backward({}, 2),
              ElementsAre(Action{forward, 0}, Action{backward, 0}, Action{forward, 1},
                          Action{backward, 1}));
}

TEST(Schedules, AreWholePassesOverAllMicroBatches) {
  for_each_pipeline([](const NamedSchedule& schedule, int stages, std::int64_t micro_batches) {
    for (const auto& actions : schedules_of_all_stages(schedule.make, stages, micro_batches)) {
      EXPECT_THAT(assign_slots(actions), SizeIs(micro_batches));
    }
  });
}

TEST(Schedules, DeferOneMoreThanTheStagesBefore) {
  const auto actions = zero_bubble({.stage = 1, .stages = 3}, 5);
  EXPECT_THAT(assign_deferred(actions), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_THAT(assign_deferred(one_forward_one_backward({.stage = 1, .stages = 3}, 2)),
              ElementsAre(-1, -1));
}

TEST(Schedules, HaveNoDeadlockWithOneMessageAhead) {
  for_each_pipeline([](const NamedSchedule& schedule, int stages, std::int64_t micro_batches) {
    const auto schedules = schedules_of_all_stages(schedule.make, stages, micro_batches);
    EXPECT_TRUE(simulate(schedules, equal_seconds, 1).has_value());
  });
  // The simulator knows a deadlock: two stages that both send before they receive.
  const auto two = schedules_of_all_stages(one_forward_one_backward, 2, 4);
  EXPECT_FALSE(simulate(two, equal_seconds, 0).has_value());
}

TEST(Schedules, HoldNoMoreMicroBatchesThanTheySay) {
  for_each_pipeline([](const NamedSchedule& schedule, int stages, std::int64_t micro_batches) {
    const auto schedules = schedules_of_all_stages(schedule.make, stages, micro_batches);
    for (int stage = 0; stage < stages; ++stage) {
      const auto slots = assign_slots(schedules[static_cast<std::size_t>(stage)]);
      const std::int64_t held = slots.empty() ? 0 : *std::ranges::max_element(slots) + 1;
      const std::int64_t said = schedule.make == gpipe                      ? micro_batches
                                : schedule.make == one_forward_one_backward ? stages - stage
                                                                            : stages;
      EXPECT_EQ(held, std::min(said, micro_batches)) << "stage " << stage;
    }
  });
}

TEST(Schedules, HaveTheBubbleOfTheory) {
  // Forward, input gradient and weight gradient of each micro-batch on each stage.
  for (const auto& [forward, input, weight] :
       {std::tuple(1.0, 1.0, 1.0), std::tuple(2.0, 3.0, 1.5), std::tuple(1.0, 2.0, 2.0)}) {
    const auto seconds = [=](int, const Action& action) {
      return seconds_of(action.kind, forward, input, weight);
    };
    for_each_pipeline([&](const NamedSchedule& schedule, int stages, std::int64_t micro_batches) {
      if (micro_batches == 0) {
        return;
      }
      const auto schedules = schedules_of_all_stages(schedule.make, stages, micro_batches);
      const double whole = forward + input + weight;
      const double bubble = simulate(schedules, seconds, 2 * stages).value() -
                            static_cast<double>(micro_batches) * whole;
      if (schedule.make != zero_bubble) {
        EXPECT_NEAR(bubble, (stages - 1) * whole, 1e-9);
      } else if (micro_batches >= stages) {
        EXPECT_NEAR(bubble, (stages - 1) * (input + std::max(0.0, forward - weight)), 1e-9);
      } else {
        EXPECT_LE(bubble, (stages - 1) * whole - (stages > 1 ? weight : 0) + 1e-9);
      }
    });
  }
}

TEST(Schedules, WithRaggedCostsWaitNoLongerThanForAllStagesInTurn) {
  for_each_pipeline([](const NamedSchedule& schedule, int stages, std::int64_t micro_batches) {
    double in_turn = 0;
    const auto seconds = [](int stage, const Action& action) {
      RandomStream draws(static_cast<std::uint64_t>(stage), Purpose::testing,
                         static_cast<std::uint64_t>(4 * action.micro_batch) +
                             static_cast<std::uint64_t>(action.kind));
      return 0.1 + draws.uniform();
    };
    const auto schedules = schedules_of_all_stages(schedule.make, stages, micro_batches);
    for (std::size_t stage = 0; stage < schedules.size(); ++stage) {
      for (const Action& action : schedules[stage]) {
        in_turn += seconds(static_cast<int>(stage), action);
      }
    }
    // To be one message ahead at most costs time, but never more than to work in turn.
    const double unbounded = simulate(schedules, seconds, 2 * stages + 32).value();
    const double bounded = simulate(schedules, seconds, 1).value();
    EXPECT_LE(unbounded, bounded);
    EXPECT_LE(bounded, in_turn + 1e-9);
  });
}

TEST(AssignSlots, GivesAsManyAsAreInFlight) {
  using enum ActionKind;
  // GPipe.
  EXPECT_THAT(
      assign_slots(std::vector<Action>{
          {forward, 0}, {forward, 1}, {forward, 2}, {backward, 0}, {backward, 1}, {backward, 2}}),
      ElementsAre(0, 1, 2));
  // The first of two stages under 1F1B.
  EXPECT_THAT(assign_slots(std::vector<Action>{{forward, 0},
                                               {forward, 1},
                                               {backward, 0},
                                               {forward, 2},
                                               {backward, 1},
                                               {forward, 3},
                                               {backward, 2},
                                               {backward, 3}}),
              ElementsAre(0, 1, 0, 1));
  // A micro-batch is in flight until its weights' gradient is there.
  EXPECT_THAT(assign_slots(std::vector<Action>{{forward, 0},
                                               {input_gradient, 0},
                                               {forward, 1},
                                               {weight_gradient, 0},
                                               {forward, 2},
                                               {backward, 1},
                                               {backward, 2}}),
              ElementsAre(0, 1, 0));
}

TEST(AssignSlots, RefusesWhatIsNoScheduleOfWholePasses) {
  using enum ActionKind;
  const std::vector<std::vector<Action>> wrong{
      {{backward, 0}, {forward, 0}},
      {{forward, 0}},
      {{forward, 0}, {input_gradient, 0}},
      {{forward, 0}, {weight_gradient, 0}},
      {{forward, 0}, {input_gradient, 0}, {backward, 0}},
      {{forward, 0}, {backward, 0}, {backward, 0}},
      {{forward, 0}, {forward, 0}, {backward, 0}},
      {{forward, 1}, {backward, 1}},
      {{forward, 0}, {backward, 0}, {backward, -1}},
  };
  for (const auto& actions : wrong) {
    EXPECT_THROW((void)assign_slots(actions), Error);
  }
}

}  // namespace
}  // namespace precis
