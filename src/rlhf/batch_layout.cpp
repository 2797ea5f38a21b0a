#include "rlhf/batch_layout.hpp"

#include <algorithm>

#include "data/step_rows.hpp"

namespace precis {

std::pair<std::int64_t, std::int64_t> BatchLayout::learner_part(int rank) const {
  return part_of(batch, rank, learner_ranks);
}

int BatchLayout::learner_of(std::int64_t index) const {
  int rank = 0;
  while (index >= learner_part(rank).second) {
    ++rank;
  }
  return rank;
}

std::int64_t BatchLayout::group_size(std::int64_t group) const {
  return std::min(reward_group, batch - group * reward_group);
}

std::int64_t BatchLayout::groups_of(int reward_rank) const {
  const auto [begin, end] = part_of(groups(), reward_rank, reward_ranks);
  return end - begin;
}

}  // namespace precis
