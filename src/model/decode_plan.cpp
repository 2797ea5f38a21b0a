#include "model/decode_plan.hpp"

#include <algorithm>
#include <vector>

namespace precis {

DecodePlan::DecodePlan(Workspace& workspace, KvCache& cache, std::span<const int> sequences,
                       std::span<const std::int64_t> most, std::int64_t steps, std::int64_t width) {
  std::vector<std::int64_t> before;
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    before.push_back(cache.length(sequences[b]));
    cache.append(sequences[b], std::min(steps, most[b]));
  }
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> lengths;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      const std::int64_t position = before[b] + std::min(step, most[b] - 1);
      positions.push_back(static_cast<std::int32_t>(position));
      slots.push_back(cache.slot(sequences[b], position));
      lengths.push_back(positions.back() + 1);
    }
  }
  const auto count = static_cast<std::int64_t>(sequences.size());
  positions_ = workspace.upload(positions).reshaped({steps, count});
  slots_ = workspace.upload(slots).reshaped({steps, count});
  lengths_ = workspace.upload(lengths).reshaped({steps, count});
  tables_ = workspace.upload(cache.tables(sequences, width)).reshaped({count, width});
}

DecodePlaces DecodePlan::at(std::int64_t step) const {
  return {positions_.row(step), slots_.row(step), lengths_.row(step), tables_};
}

}  // namespace precis
