// The parts of attention over the KV cache: reading it, scores, weights.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/number.hpp"
#include "kernels/kernels.hpp"

namespace precis::cuda {

/// Keys are cut into splits of a fixed size, each a block's, and joined in order: the bits of a
/// sequence do not depend on the batch, and a single long sequence fills the device.
inline constexpr int split_blocks = 8;
inline constexpr int split_keys = split_blocks * attention_block;
inline constexpr int cache_block = attention_block;
static_assert(cache_block == warp_size);

/// `width` neighbouring elements, read at once.
template <class T, int width>
__device__ void load_group(float (&x)[width], const T* from) {
  if constexpr (width == 1) {
    x[0] = to_f32(*from);
  } else {
    static_assert(width * sizeof(T) == sizeof(uint4));
    const uint4 raw = *reinterpret_cast<const uint4*>(from);
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < width; ++i) {
      if constexpr (sizeof(T) == sizeof(float)) {
        x[i] = __uint_as_float(words[i]);
      } else {
        x[i] = __uint_as_float(i % 2 == 0 ? words[i / 2] << 16 : words[i / 2] & 0xffff0000U);
      }
    }
  }
}

/// The shared memory of a block for `rows` query heads.
template <int rows, int group, int parts>
struct DecodeMemory {
  static constexpr int sums_row = warp_size * group * parts;  // a warp's lanes' parts of one head
  float2* terms;                                              // (rows): maximum and sum
  float *q, *weights, *sums;

  __device__ explicit DecodeMemory(int head_dim)
      : terms(reinterpret_cast<float2*>(shared_memory())),
        q(reinterpret_cast<float*>(terms + (rows + 1) / 2 * 2)),  // (D, rows)
        weights(q + head_dim * rows),                             // (rows, keys)
        sums(weights + rows * split_keys) {}                      // (warps, rows, sums_row)
  [[nodiscard]] static std::int64_t bytes(int head_dim) {
    return static_cast<std::int64_t>(sizeof(float2)) * ((rows + 1) / 2 * 2) +
           static_cast<std::int64_t>(sizeof(float)) * rows *
               (head_dim + split_keys + attention_warps * sums_row);
  }
};

/// sums[r][i], over the lanes with the same lane % (32 / group): afterwards a lane has the total of
/// its own i, which is its lane / (32 / group), in sums[r][0].
template <int rows, int group>
__device__ void gather_sums(float (&sums)[rows][group]) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
  for (int half = group / 2, step = warp_size / 2; half > 0; half /= 2, step /= 2) {
    const bool upper = (lane & step) != 0;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int i = 0; i < half; ++i) {
        const float kept = upper ? sums[r][i + half] : sums[r][i];
        const float given = upper ? sums[r][i] : sums[r][i + half];
        sums[r][i] = kept + __shfl_xor_sync(all_lanes, given, step);
      }
    }
  }
}

/// The scores of a cache block's keys, into weights[r * split_keys + key]. A lane reads 16 bytes of
/// keys, at every (16 / sizeof(T))th dimension.
template <class T, int rows>
__device__ void find_scores(float* weights, const T* keys, const float* q, int head_dim, int count,
                            float scale) {
  constexpr int group = 16 / static_cast<int>(sizeof(T));
  constexpr int lanes_a_row = warp_size / group;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int first_key = lane % lanes_a_row * group;
  float sums[rows][group] = {};
#pragma unroll(rows == 1 ? 8 : 4)
  for (int dim = lane / lanes_a_row; dim < head_dim; dim += group) {
    float key[group];
    load_group(key, keys + dim * cache_block + first_key);
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const float y = q[dim * rows + r];
#pragma unroll
      for (int i = 0; i < group; ++i) {
        sums[r][i] += y * key[i];
      }
    }
  }
  gather_sums(sums);
  const int key = first_key + lane / lanes_a_row;
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    // What lies beyond the sequence may be anything.
    weights[r * split_keys + key] = key < count ? scale * sums[r][0] : nothing;
  }
}

/// Turns row `row` of the scores into exp(score - maximum); one warp. Returns maximum and sum.
__device__ inline float2 find_weights(float* weights) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  float max = nothing;
  for (int key = lane; key < split_keys; key += warp_size) {
    max = fmaxf(max, weights[key]);
  }
  max = over_warp(max, MaxOf{});
  float sum = 0.0F;
  for (int key = lane; key < split_keys; key += warp_size) {
    const float p = expf(weights[key] - max);
    weights[key] = p;
    sum += p;
  }
  return make_float2(max, over_warp(sum, SumOf{}));
}

}  // namespace precis::cuda
