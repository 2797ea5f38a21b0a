// The decode schedule in a simulator: who can work when, if every turn takes one tick.
#include "model/decode_schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

namespace precis {
namespace {

constexpr int rounds = 12;

/// The tick in which each stage has each of its turns, the turns of all rounds in a row: a stage
/// does one at a time, after the stage before it has done the same one; the first stage also waits
/// for what the last one has sampled in the group's turn before.
std::vector<std::vector<int>> ticks_of_turns(const std::vector<std::vector<int>>& round_of_stage,
                                             int groups) {
  const std::size_t stages = round_of_stage.size();
  std::vector<std::vector<int>> ticks(stages);
  std::vector<int> sampled(static_cast<std::size_t>(groups), -1);  // the tick, by group
  std::vector<int> order;
  for (int r = 0; r < rounds; ++r) {
    order.insert(order.end(), round_of_stage[0].begin(), round_of_stage[0].end());
  }
  for (std::size_t turn = 0; turn < order.size(); ++turn) {
    const auto group = static_cast<std::size_t>(order[turn]);
    int after = sampled[group];
    for (std::size_t stage = 0; stage < stages; ++stage) {
      const int before = ticks[stage].empty() ? -1 : ticks[stage].back();
      after = std::max(after, before) + 1;
      ticks[stage].push_back(after);
    }
    sampled[group] = after;
  }
  return ticks;
}

TEST(DecodeSchedule, EveryStageWorksInEveryTickOnceFilled) {
  for (int stages = 1; stages <= 4; ++stages) {
    SCOPED_TRACE(stages);
    const std::vector<int> round = decode_round(stages);
    std::vector<int> sorted = round;
    std::ranges::sort(sorted);
    EXPECT_EQ(std::ranges::unique(sorted).begin(), sorted.end()) << "a turn for each group";
    const auto ticks = ticks_of_turns(
        std::vector<std::vector<int>>(static_cast<std::size_t>(stages), round), stages);
    for (std::size_t stage = 0; stage < ticks.size(); ++stage) {
      for (std::size_t turn = 0; turn < ticks[stage].size(); ++turn) {
        EXPECT_EQ(ticks[stage][turn], static_cast<int>(stage + turn))
            << "stage " << stage << " fills in tick " << stage << " and then never waits";
      }
    }
  }
}

TEST(DecodeSchedule, FewerGroupsThanStagesLeaveStagesWaiting) {
  // What the simulator says of one group on three stages: a turn every third tick.
  const auto ticks = ticks_of_turns({{0}, {0}, {0}}, 1);
  EXPECT_EQ(ticks[2][4], 14);
}

}  // namespace
}  // namespace precis
