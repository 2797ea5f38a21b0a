#include "kernels/cuda/column_sums.hpp"

#include <algorithm>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/linear.hpp"

namespace precis::cuda {
namespace {

/// out (blocks_y, columns) = or += the column sums of x (rows, columns), row y of out those of the
/// rows from y * rows_a_part on. A lane has `size` columns; warp w adds rows w, w + warps, ... and
/// the sums of the warps are added in order.
template <class T, int size, int warps>
__global__ void sum_columns(float* out, const T* x, std::int64_t rows, std::int64_t columns,
                            std::int64_t rows_a_part, Write write, bool aligned) {
  constexpr int tile = warp_size * size;
  __shared__ float sums_of_warps[warps][tile];
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const std::int64_t first_column = static_cast<std::int64_t>(blockIdx.x) * tile;
  const std::int64_t column = first_column + lane * size;
  const std::int64_t begin = blockIdx.y * rows_a_part;
  const std::int64_t end = begin + rows_a_part < rows ? begin + rows_a_part : rows;
  Group<size> sum{};
  with_group<size>(columns, column, aligned, [&](const auto& how) {
#pragma unroll 4
    for (std::int64_t row = begin + warp; row < end; row += warps) {
      const auto numbers = how.load(x + row * columns + column);
      for (int e = 0; e < size; ++e) {
        sum.x[e] += numbers.x[e];
      }
    }
  });
  for (int e = 0; e < size; ++e) {
    sums_of_warps[warp][lane * size + e] = sum.x[e];
  }
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x); c < tile && first_column + c < columns;
       c += warps * warp_size) {
    float total = sums_of_warps[0][c];
    for (int w = 1; w < warps; ++w) {
      total += sums_of_warps[w][c];
    }
    float& sum_of_column = out[blockIdx.y * columns + first_column + c];
    sum_of_column = write == Write::accumulate ? sum_of_column + total : total;
  }
}

}  // namespace

void add_parts(Queue& queue, float* sums, const float* parts, std::int64_t count,
               std::int64_t columns) {
  // Narrow tiles and many warps: there are few columns, and little time for one after another.
  constexpr int warps = 16;
  launch(queue, "add_parts", sum_columns<float, 1, warps>,
         {.blocks = blocks_for(columns, warp_size), .threads = warps * warp_size}, sums, parts,
         count, columns, count, Write::accumulate, false);
}

void add_column_sums(Queue& queue, View sums, ConstView x) {
  constexpr const char* kernel = "add_column_sums";
  const std::int64_t rows = x.extent(0);
  const std::int64_t columns = x.extent(1);
  if (rows == 0) {
    return;
  }
  const std::int64_t rows_a_part = std::max<std::int64_t>(32, blocks_for(rows, 256));
  const std::int64_t count = blocks_for(rows, rows_a_part);
  float* parts = scratch_of(queue).of<float>(count * columns);
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    constexpr int size = group_size<T>;
    constexpr int warps = 8;
    launch(queue, kernel, sum_columns<T, size, warps>,
           {.blocks = blocks_for(columns, warp_size * size),
            .threads = warps * warp_size,
            .blocks_y = count},
           parts, x.data<T>(), rows, columns, rows_a_part, Write::overwrite,
           groups_are_aligned(size, columns, {x}));
  });
  add_parts(queue, sums.data<float>(), parts, count, columns);
}

}  // namespace precis::cuda
