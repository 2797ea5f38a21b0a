// Which prompt each episode starts from, and which rank does what with it: by number, never by
// arrival.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace precis {

/// The prompts of a run in their order: an endless stream, each pass over the rows in an order of
/// its own by (seed, Purpose::prompt_order, pass).
class PromptOrder {
 public:
  PromptOrder(std::int64_t rows, std::uint64_t seed) : rows_(rows), seed_(seed) {}

  /// The row that episode `number` starts from.
  [[nodiscard]] std::int64_t row_of(std::int64_t number);

 private:
  std::int64_t rows_;
  std::uint64_t seed_;
  std::int64_t pass_ = -1;
  std::vector<std::int64_t> order_;
};

/// How the `batch` episodes of a step are divided; an episode is meant by its index in the batch.
struct BatchLayout {
  std::int64_t batch = 0;
  std::int64_t reward_group = 0;  ///< consecutive episodes scored together
  int rollout_ranks = 1;
  int reward_ranks = 1;
  int learner_ranks = 1;

  /// Consecutive indices [first, second), parts in rank order, of sizes that differ by at most one.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rollout_part(int rank) const;
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
