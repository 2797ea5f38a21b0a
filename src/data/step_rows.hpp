// Which rows a training step uses: a pure function of the seed and the step.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace precis {

/// Steps of one pass over `rows`: the last batch of an epoch is smaller, not dropped. Throws
/// UsageError unless both are positive.
[[nodiscard]] std::int64_t steps_per_epoch(std::int64_t rows, std::int64_t batch);

/// Which rows each step uses. Keeps the permutation of the epoch that it was asked for last.
class StepRows {
 public:
  /// Throws as `steps_per_epoch`.
  StepRows(std::int64_t rows, std::int64_t batch, std::uint64_t seed);

  /// The rows of step `step` (from 0) in their order: a piece of the epoch's permutation by (seed,
  /// Purpose::row_shuffle, epoch). When `batch` >= `rows`, a step uses every row once.
  [[nodiscard]] std::vector<std::int64_t> of(std::int64_t step);

 private:
  std::int64_t rows_;
  std::int64_t batch_;
  std::uint64_t seed_;
  std::int64_t steps_;       // of an epoch
  std::int64_t epoch_ = -1;  // whose permutation `order_` is
  std::vector<std::int64_t> order_;
};

/// Rank `rank`'s part [first, second) of `count` things: contiguous, in rank order, of sizes that
/// differ by at most one (the first ranks have the larger ones).
[[nodiscard]] std::pair<std::int64_t, std::int64_t> part_of(std::int64_t count, std::int64_t rank,
                                                            std::int64_t ranks);

/// Rank `rank`'s part of a step's rows: contiguous, in rank order, of sizes that differ by at most
/// one (the first ranks have the larger ones), so that all parts together are the step's rows for
/// every number of ranks.
[[nodiscard]] std::vector<std::int64_t> rank_part(const std::vector<std::int64_t>& rows,
                                                  std::int64_t rank, std::int64_t ranks);

}  // namespace precis
