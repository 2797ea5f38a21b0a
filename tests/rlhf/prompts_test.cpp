// Which prompt an episode starts from, and which rank works on it.
#include "rlhf/prompts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace precis {
namespace {

std::vector<std::int64_t> pass(PromptOrder& order, std::int64_t rows, std::int64_t number) {
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < rows; ++i) {
    found.push_back(order.row_of(number * rows + i));
  }
  return found;
}

TEST(PromptOrder, EachPassHasEveryRowOnceInAnOrderOfItsOwn) {
  constexpr std::int64_t rows = 23;
  PromptOrder order(rows, 5);
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t number = 0; number < 4; ++number) {
    const auto found = pass(order, rows, number);
    EXPECT_EQ(std::set<std::int64_t>(found.begin(), found.end()).size(), 23U);
    EXPECT_EQ(*std::min_element(found.begin(), found.end()), 0);
    EXPECT_EQ(*std::max_element(found.begin(), found.end()), rows - 1);
    orders.insert(found);
  }
  EXPECT_EQ(orders.size(), 4U);
}

TEST(PromptOrder, DependsOnTheSeedAndNotOnWhatWasAskedBefore) {
  PromptOrder forward(10, 1);
  PromptOrder backward(10, 1);
  PromptOrder other(10, 2);
  std::vector<std::int64_t> a;
  std::vector<std::int64_t> b(35);
  std::vector<std::int64_t> c;
  for (std::int64_t number = 0; number < 35; ++number) {
    a.push_back(forward.row_of(number));
    b[static_cast<std::size_t>(34 - number)] = backward.row_of(34 - number);
    c.push_back(other.row_of(number));
  }
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(PromptOrder, OfOneRow) { EXPECT_EQ(PromptOrder(1, 1).row_of(1000), 0); }

void expect_partition(const BatchLayout& layout) {
  // Rollout and learner parts follow each other and cover the batch.
  std::int64_t rollout = 0;
  for (int rank = 0; rank < layout.rollout_ranks; ++rank) {
    const auto [begin, end] = layout.rollout_part(rank);
    EXPECT_EQ(begin, rollout);
    EXPECT_GE(end - begin, layout.batch / layout.rollout_ranks);
    EXPECT_LE(end - begin, layout.batch / layout.rollout_ranks + 1);
    rollout = end;
  }
  EXPECT_EQ(rollout, layout.batch);
  std::int64_t learner = 0;
  for (int rank = 0; rank < layout.learner_ranks; ++rank) {
    const auto [begin, end] = layout.learner_part(rank);
    EXPECT_EQ(begin, learner);
    for (std::int64_t index = begin; index < end; ++index) {
      EXPECT_EQ(layout.learner_of(index), rank);
    }
    learner = end;
  }
  EXPECT_EQ(learner, layout.batch);

  // Every index is in one group, whose size says how many there are.
  std::vector<std::int64_t> members(static_cast<std::size_t>(layout.groups()));
  for (std::int64_t index = 0; index < layout.batch; ++index) {
    ++members.at(static_cast<std::size_t>(layout.group_of(index)));
  }
  std::vector<std::int64_t> groups(static_cast<std::size_t>(layout.reward_ranks));
  for (std::int64_t group = 0; group < layout.groups(); ++group) {
    EXPECT_EQ(members[static_cast<std::size_t>(group)], layout.group_size(group));
    EXPECT_GT(layout.group_size(group), 0);
    ++groups.at(static_cast<std::size_t>(layout.reward_rank_of(group)));
  }
  for (int rank = 0; rank < layout.reward_ranks; ++rank) {
    EXPECT_EQ(groups[static_cast<std::size_t>(rank)], layout.groups_of(rank));
  }
}

TEST(BatchLayout, EveryEpisodeIsGeneratedScoredAndLearnedFromOnce) {
  for (const std::int64_t batch : {1, 2, 5, 8, 16, 31, 64, 512}) {
    for (const std::int64_t group : {1, 3, 16, 600}) {
      for (int rollout = 1; rollout <= 5; ++rollout) {
        for (int reward = 1; reward <= 4; ++reward) {
          for (int learner = 1; learner <= 4; ++learner) {
            SCOPED_TRACE(testing::Message()
                         << "batch " << batch << ", group " << group << ", ranks " << rollout
                         << ", " << reward << ", " << learner);
            expect_partition({.batch = batch,
                              .reward_group = group,
                              .rollout_ranks = rollout,
                              .reward_ranks = reward,
                              .learner_ranks = learner});
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace precis
