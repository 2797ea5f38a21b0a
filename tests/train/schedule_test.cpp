// Schedules as lists: what must come before what, and how many micro-batches are in flight.
#include "train/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(SingleStageSchedule, TakesEachMicroBatchOnceForwardThenBackward) {
  EXPECT_THAT(single_stage_schedule(0), IsEmpty());
  for (const std::int64_t micro_batches : {1, 2, 7}) {
    const auto actions = single_stage_schedule(micro_batches);
    EXPECT_THAT(actions, SizeIs(2 * micro_batches));
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      const auto forward = std::ranges::find(actions, Action{ActionKind::forward, m});
      const auto backward = std::ranges::find(actions, Action{ActionKind::backward, m});
      EXPECT_LT(forward, backward);
      EXPECT_NE(backward, actions.end());
    }
    EXPECT_THAT(assign_slots(actions), SizeIs(micro_batches));
    EXPECT_THAT(assign_slots(actions), testing::Each(0));  // One in flight.
  }
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
