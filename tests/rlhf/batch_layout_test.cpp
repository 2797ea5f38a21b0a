// Which rank works on an episode.
#include "rlhf/batch_layout.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

void expect_partition(const BatchLayout& layout) {
  // Learner parts follow each other and cover the batch.
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

TEST(BatchLayout, EveryEpisodeIsScoredAndLearnedFromOnce) {
  for (const std::int64_t batch : {1, 2, 5, 8, 16, 31, 64, 512}) {
    for (const std::int64_t group : {1, 3, 16, 600}) {
      for (int reward = 1; reward <= 4; ++reward) {
        for (int learner = 1; learner <= 4; ++learner) {
          SCOPED_TRACE(testing::Message() << "batch " << batch << ", group " << group << ", ranks "
                                          << reward << ", " << learner);
          expect_partition({.batch = batch,
                            .reward_group = group,
                            .reward_ranks = reward,
                            .learner_ranks = learner});
        }
      }
    }
  }
}

}  // namespace
}  // namespace precis
