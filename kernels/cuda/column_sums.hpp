// The last step of sums over rows that are taken by partitions.
#pragma once

#include <cstdint>

#include "kernels/queue.hpp"

namespace precis::cuda {

/// sums (columns) += the rows of parts (count, columns), in a fixed order. Uses no scratch memory.
void add_parts(Queue& queue, float* sums, const float* parts, std::int64_t count,
               std::int64_t columns);

}  // namespace precis::cuda
