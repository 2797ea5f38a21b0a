#include "data/packing.hpp"

#include "base/error.hpp"

namespace precis {

void PackedBatch::append(std::span<const std::int32_t> first,
                         std::span<const std::int32_t> second) {
  tokens.insert(tokens.end(), first.begin(), first.end());
  tokens.insert(tokens.end(), second.begin(), second.end());
  const auto length = static_cast<std::int32_t>(first.size() + second.size());
  for (std::int32_t position = 0; position < length; ++position) {
    positions.push_back(position);
  }
  offsets.push_back(offsets.back() + length);
}

std::vector<std::int32_t> PackedBatch::last_rows() const {
  std::vector<std::int32_t> rows;
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    rows.push_back(offsets[b] - 1);
  }
  return rows;
}

std::vector<MicroBatch> split_micro_batches(std::span<const std::int64_t> lengths,
                                            std::int64_t token_budget) {
  if (token_budget <= 0) {
    fail_usage("A micro-batch of {} tokens was asked for; the budget must be positive.",
               token_budget);
  }
  std::vector<MicroBatch> batches;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    if (batches.empty() || tokens + lengths[i] > token_budget) {
      batches.push_back({index, index});
      tokens = 0;
    }
    tokens += lengths[i];
    batches.back().end = index + 1;
  }
  return batches;
}

}  // namespace precis
