// Which rank does what with each episode of a step: by number, never by arrival.
#pragma once

#include <cstdint>
#include <utility>

namespace precis {

/// How the `batch` episodes of a step are divided; an episode is named by its index in the batch.
struct BatchLayout {
  std::int64_t batch = 0;
  std::int64_t reward_group = 0;  ///< consecutive episodes scored together
  int reward_ranks = 1;
  int learner_ranks = 1;

  /// Consecutive indices [first, second), parts in rank order, of sizes that differ by at most one.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> learner_part(int rank) const;
  [[nodiscard]] int learner_of(std::int64_t index) const;

  [[nodiscard]] std::int64_t groups() const { return (batch + reward_group - 1) / reward_group; }
  [[nodiscard]] std::int64_t group_of(std::int64_t index) const { return index / reward_group; }
  [[nodiscard]] std::int64_t group_size(std::int64_t group) const;
  /// Groups go round the reward ranks.
  [[nodiscard]] int reward_rank_of(std::int64_t group) const {
    return static_cast<int>(group % reward_ranks);
  }
  [[nodiscard]] std::int64_t groups_of(int reward_rank) const;
};

}  // namespace precis
