// Attention on tensor cores: products of tiles of bf16 in shared memory, after FlashAttention-2
// (Dao 2023). A warp has `tall` bands of 16 rows of the left operand.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention.hpp"
#include "kernels/cuda/number.hpp"
#include "kernels/cuda/ptx.hpp"

namespace precis::cuda {

inline constexpr int band = 16;  ///< Rows of an mma instruction.
inline constexpr int chunk = 16 / static_cast<int>(sizeof(BFloat16));  ///< Numbers in 16 bytes.
inline constexpr float log2_e = 1.4426950408889634F;

/// Numbers from one row of a tile to the next. D / 8 is even, so that rows lie an odd number of 16
/// bytes apart: eight of them, as load_matrices reads them, are in different banks.
template <int D>
inline constexpr int tile_stride = D + chunk;

template <int D>
[[nodiscard]] constexpr std::int64_t tile_bytes(int rows) {
  return std::int64_t{rows} * tile_stride<D> * static_cast<std::int64_t>(sizeof(BFloat16));
}

/// Starts copying rows [0, count) of x to a tile of `rows`; the others become zero.
template <int D, int rows>
__device__ void copy_tile(BFloat16* tile, const BFloat16* x, int stride, int count) {
  constexpr int row_chunks = D / chunk;
  constexpr int chunks = rows * row_chunks;
#pragma unroll
  for (int first = 0; first < chunks; first += attention_threads) {
    const int i = first + static_cast<int>(threadIdx.x);
    if (chunks % attention_threads == 0 || i < chunks) {
      const int row = i / row_chunks;
      const int place = i % row_chunks * chunk;
      const bool valid = row < count;
      copy_async(tile + row * tile_stride<D> + place, x + (valid ? row : 0) * stride + place,
                 valid);
    }
  }
}

template <int tall, int columns>
__device__ void clear(TileC (&c)[tall][columns]) {
#pragma unroll
  for (auto& row : c) {
#pragma unroll
    for (TileC& tile : row) {
      tile = {};
    }
  }
}

/// a[t] = columns 16k .. 16k + 15 of band t of `tile`.
template <int D, int tall>
__device__ void load_bands(TileA (&a)[tall], const BFloat16* tile, int k) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const BFloat16* place = tile + lane % band * tile_stride<D> + k * band + lane / band * chunk;
#pragma unroll
  for (int t = 0; t < tall; ++t) {
    load_matrices(a[t].x, place + t * band * tile_stride<D>);
  }
}

/// c = a b^T: a is (16 * tall, D), b is (8 * columns, D).
template <int D, int tall, int columns>
__device__ void multiply_transposed(TileC (&c)[tall][columns], const BFloat16* a,
                                    const BFloat16* b) {
  clear(c);
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const BFloat16* place = b + (lane / band * 8 + lane % 8) * tile_stride<D> + lane / 8 % 2 * chunk;
#pragma unroll
  for (int k = 0; k < D / band; ++k) {
    TileA left[tall];
    load_bands<D>(left, a, k);
#pragma unroll
    for (int n = 0; n < columns; n += 2) {
      std::uint32_t right[4];
      load_matrices(right, place + n * 8 * tile_stride<D> + k * band);
#pragma unroll
      for (int t = 0; t < tall; ++t) {
        multiply_add(c[t][n], left[t], {right[0], right[1]});
        multiply_add(c[t][n + 1], left[t], {right[2], right[3]});
      }
    }
  }
}

/// c += a b: a is (16 * tall, 8 * depth), rounded to bf16 here; of b (8 * depth, D) the first
/// 8 * columns columns take part.
template <int D, int tall, int columns, int depth>
__device__ void multiply(TileC (&c)[tall][columns], const TileC (&a)[tall][depth],
                         const BFloat16* b) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const BFloat16* place = b + lane % band * tile_stride<D> + lane / band * chunk;
#pragma unroll
  for (int k = 0; k < depth / 2; ++k) {
    TileA left[tall];
#pragma unroll
    for (int t = 0; t < tall; ++t) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const TileC& from = a[t][2 * k + half];
        left[t].x[2 * half] = pack_bf16(from.x[0], from.x[1]);
        left[t].x[2 * half + 1] = pack_bf16(from.x[2], from.x[3]);
      }
    }
#pragma unroll
    for (int n = 0; n < columns; n += 2) {
      std::uint32_t right[4];
      load_matrices_transposed(right, place + k * band * tile_stride<D> + n * 8);
#pragma unroll
      for (int t = 0; t < tall; ++t) {
        multiply_add(c[t][n], left[t], {right[0], right[1]});
        multiply_add(c[t][n + 1], left[t], {right[2], right[3]});
      }
    }
  }
}

/// Makes the scores -infinity for which seen(row, column) of the warp's tile is false.
template <int tall, int columns, class Seen>
__device__ void hide_unseen(TileC (&scores)[tall][columns], const Seen& seen) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
  for (int t = 0; t < tall; ++t) {
#pragma unroll
    for (int n = 0; n < columns; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = t * band + i / 2 * 8 + lane / 4;
        const int column = n * 8 + lane % 4 * 2 + i % 2;
        float& score = scores[t][n].x[i];
        score = seen(row, column) ? score : nothing;
      }
    }
  }
}

/// out = rows of c, each times factor(band, half), by way of `staging`: this warp's own rows of a
/// tile that it has finished with. `count` rows of the warp exist.
template <int D, int tall, int columns, class Factor>
__device__ void store_bands(BFloat16* out, std::int64_t stride, int count,
                            const TileC (&c)[tall][columns], BFloat16* staging,
                            const Factor& factor) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  __syncwarp();
#pragma unroll
  for (int t = 0; t < tall; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float f = factor(t, half);
      BFloat16* row = staging + (t * band + half * 8 + lane / 4) * tile_stride<D> + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < columns; ++n) {
        const TileC& from = c[t][n];
        *reinterpret_cast<std::uint32_t*>(row + n * 8) =
            pack_bf16(from.x[2 * half] * f, from.x[2 * half + 1] * f);
      }
    }
  }
  __syncwarp();
  constexpr int row_chunks = columns * 8 / chunk;
  for (int i = lane; i < tall * band * row_chunks; i += warp_size) {
    const int row = i / row_chunks;
    const int place = i % row_chunks * chunk;
    if (row < count) {
      *reinterpret_cast<uint4*>(out + row * stride + place) =
          *reinterpret_cast<const uint4*>(staging + row * tile_stride<D> + place);
    }
  }
}

}  // namespace precis::cuda
