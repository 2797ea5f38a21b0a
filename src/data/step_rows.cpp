#include "data/step_rows.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace precis {

std::int64_t steps_per_epoch(std::int64_t rows, std::int64_t batch) {
  if (rows <= 0 || batch <= 0) {
    fail_usage("{} rows in batches of {} were asked for; both must be positive.", rows, batch);
  }
  return rows / batch + (rows % batch != 0 ? 1 : 0);
}

StepRows::StepRows(std::int64_t rows, std::int64_t batch, std::uint64_t seed)
    : rows_(rows), batch_(batch), seed_(seed), steps_(steps_per_epoch(rows, batch)) {}

std::vector<std::int64_t> StepRows::of(std::int64_t step) {
  if (const std::int64_t epoch = step / steps_; epoch != epoch_) {
    order_ = permutation(rows_, seed_, Purpose::row_shuffle, static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }
  const std::int64_t begin = step % steps_ * batch_;
  const std::int64_t end = begin + std::min(batch_, rows_ - begin);
  return {order_.begin() + begin, order_.begin() + end};
}

std::pair<std::int64_t, std::int64_t> part_of(std::int64_t count, std::int64_t rank,
                                              std::int64_t ranks) {
  const std::int64_t each = count / ranks;
  const std::int64_t extra = count % ranks;
  const std::int64_t begin = rank * each + std::min(rank, extra);
  return {begin, begin + each + (rank < extra ? 1 : 0)};
}

std::vector<std::int64_t> rank_part(const std::vector<std::int64_t>& rows, std::int64_t rank,
                                    std::int64_t ranks) {
  const auto [begin, end] = part_of(static_cast<std::int64_t>(rows.size()), rank, ranks);
  return {rows.begin() + begin, rows.begin() + end};
}

}  // namespace precis
