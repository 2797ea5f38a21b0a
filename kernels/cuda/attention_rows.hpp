// Attention on the ordinary arithmetic units: tiles of 32 rows by 32 rows in shared memory, as f32,
// for any precision and head dimension.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention.hpp"
#include "kernels/cuda/number.hpp"

namespace precis::cuda {

inline constexpr int tile_rows = warp_size;
/// Rows of a tile that one warp works on.
inline constexpr int warp_rows = tile_rows / attention_warps;
static_assert(warp_rows == 8);

/// Numbers from one row of a tile to the next: a multiple of 16 bytes, an odd one, so that the
/// lanes of a warp may each read 16 bytes of another row.
[[nodiscard]] __host__ __device__ constexpr int row_stride(int head_dim) {
  return 4 * ((head_dim + 3) / 4 | 1);
}
[[nodiscard]] constexpr std::int64_t row_tile_bytes(int head_dim) {
  return std::int64_t{tile_rows} * row_stride(head_dim) * static_cast<std::int64_t>(sizeof(float));
}

/// tile = factor * x, `count` rows of head_dim elements, with zeros beyond them.
template <class T>
__device__ void load_rows(float* tile, const T* x, int x_stride, int count, int head_dim,
                          float factor) {
  const int stride = row_stride(head_dim);
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  for (int row = warp; row < tile_rows; row += attention_warps) {
    for (int i = lane; i < stride; i += warp_size) {
      const bool inside = row < count && i < head_dim;
      tile[row * stride + i] = inside ? factor * to_f32(x[row * x_stride + i]) : 0.0F;
    }
  }
}

/// sums[r] = row r of a (this warp's rows) times row `lane` of b.
__device__ inline void row_products(float (&sums)[warp_rows], const float* a, const float* b,
                                    int stride) {
  const float* column = b + static_cast<int>(threadIdx.x % warp_size) * stride;
  for (float& sum : sums) {
    sum = 0.0F;
  }
#pragma unroll 1
  for (int i = 0; i < stride; i += 4) {
    const float4 y = *reinterpret_cast<const float4*>(column + i);
#pragma unroll
    for (int r = 0; r < warp_rows; ++r) {
      const float4 x = *reinterpret_cast<const float4*>(a + r * stride + i);
      sums[r] += x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
    }
  }
}

/// Some rows of head_dim elements over a warp: lane l holds elements l, l + 32, ... of each.
template <int parts>
struct WarpRows {
  float x[warp_rows][parts];

  __device__ void clear() {
    for (auto& row : x) {
      for (float& number : row) {
        number = 0.0F;
      }
    }
  }

  /// x[r] += sum over rows j of the tile of weights[j * weight_stride + r] * tile[j].
  __device__ void add_products(const float* weights, int weight_stride, const float* tile,
                               int stride) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll(parts > 4 ? 1 : 2)
    for (int j = 0; j < tile_rows; ++j) {
      float w[warp_rows];
#pragma unroll
      for (int r = 0; r < warp_rows; r += 4) {
        const float4 four = *reinterpret_cast<const float4*>(weights + j * weight_stride + r);
        w[r] = four.x;
        w[r + 1] = four.y;
        w[r + 2] = four.z;
        w[r + 3] = four.w;
      }
#pragma unroll
      for (int i = 0; i < parts; ++i) {
        // Beyond the row a lane repeats its last element; the result is not used.
        const int place = lane + i * warp_size;
        const float y = tile[j * stride + (place < stride ? place : stride - 1)];
#pragma unroll
        for (int r = 0; r < warp_rows; ++r) {
          x[r][i] += w[r] * y;
        }
      }
    }
  }

  /// out[r * out_stride ..] = factor * x[r], for the first `count` rows.
  template <class T>
  __device__ void store(T* out, int out_stride, int count, int head_dim, float factor) const {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
    for (int r = 0; r < warp_rows; ++r) {
#pragma unroll
      for (int i = 0; i < parts; ++i) {
        const int place = lane + i * warp_size;
        if (r < count && place < head_dim) {
          out[r * out_stride + place] = from_f32<T>(factor * x[r][i]);
        }
      }
    }
  }
};

}  // namespace precis::cuda
