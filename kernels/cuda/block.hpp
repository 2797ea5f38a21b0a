// Sums and maxima over the threads of a warp or a block, always in the same order, so that two runs
// give the same bits.
#pragma once

#include <cuda_runtime.h>

namespace precis::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned all_lanes = 0xffffffffU;

struct SumOf {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct MaxOf {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

/// The combination over a warp, in every lane.
template <class T, class Combine>
__device__ T over_warp(T value, const Combine& combine) {
  for (int step = warp_size / 2; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(all_lanes, value, step));
  }
  return value;
}

/// The combination over a block of `threads` (a multiple of 32), in every thread. All threads call
/// it.
template <int threads, class T, class Combine>
__device__ T over_block(T value, const Combine& combine) {
  static_assert(threads % warp_size == 0 && threads <= 1024);
  constexpr int warps = threads / warp_size;
  __shared__ T partial[warps];
  value = over_warp(value, combine);
  __syncthreads();  // an earlier call's partials have been read
  if (threadIdx.x % warp_size == 0) {
    partial[threadIdx.x / warp_size] = value;
  }
  __syncthreads();
  T total = partial[0];
  for (int warp = 1; warp < warps; ++warp) {
    total = combine(total, partial[warp]);
  }
  return total;
}

}  // namespace precis::cuda
