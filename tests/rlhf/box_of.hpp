// The box of a tensor that a rank holds, from the whole of it.
#pragma once

#include <vector>

#include "parallel/shard.hpp"

namespace precis {

/// Of at most two axes, row by row.
[[nodiscard]] inline std::vector<float> box_of(const std::vector<float>& whole,
                                               const Shard& shard) {
  std::vector<float> out;
  const auto last = shard.extent.size() - 1;
  const std::int64_t rows = last == 0 ? 1 : shard.extent[0];
  const std::int64_t first = last == 0 ? 0 : shard.offset[0];
  for (std::int64_t row = first; row < first + rows; ++row) {
    const auto begin = whole.begin() + row * shard.global_shape[last] + shard.offset[last];
    out.insert(out.end(), begin, begin + shard.extent[last]);
  }
  return out;
}

}  // namespace precis
