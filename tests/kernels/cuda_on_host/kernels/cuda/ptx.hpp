// Stands in for the header of this name: the same instructions on the host, over the lanes of a
// warp.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/view.hpp"

namespace precis::cuda {

inline std::uint16_t round_to_bf16(float x) { return to_bf16(x).bits; }

inline std::uint32_t pack_bf16(float low, float high) {
  return round_to_bf16(low) | static_cast<std::uint32_t>(round_to_bf16(high)) << 16;
}

inline float fast_exp2(float x) { return x < -126.0F ? 0.0F : std::exp2(x); }

struct TileA {
  std::uint32_t x[4];
};
struct TileB {
  std::uint32_t x[2];
};
struct TileC {
  float x[4];
};

/// Element 0 or 1 of a register that holds two bf16.
inline float half_of(std::uint32_t pair, unsigned element) {
  return __uint_as_float((pair >> (16 * element)) << 16);
}

inline void multiply_add(TileC& c, const TileA& a, const TileB& b) {
  const auto as = cuda_on_host::exchange(0xffffffffU, a);
  const auto bs = cuda_on_host::exchange(0xffffffffU, b);
  const unsigned lane = cuda_on_host::lane();
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = lane / 4 + 8 * (i / 2);
    const unsigned column = 2 * (lane % 4) + i % 2;
    float sum = c.x[i];
    for (unsigned k = 0; k < 16; ++k) {
      const TileA& of_row = as[4 * (row % 8) + k % 8 / 2];
      const TileB& of_column = bs[4 * column + k % 8 / 2];
      sum += half_of(of_row.x[row / 8 + 2 * (k / 8)], k % 2) * half_of(of_column.x[k / 8], k % 2);
    }
    c.x[i] = sum;
  }
}

inline void load_matrices(std::uint32_t (&x)[4], const void* row, bool transposed = false) {
  const auto rows = cuda_on_host::exchange(0xffffffffU, row);
  const unsigned lane = cuda_on_host::lane();
  for (unsigned i = 0; i < 4; ++i) {
    std::uint16_t pair[2];
    for (unsigned e = 0; e < 2; ++e) {
      const unsigned of_row = transposed ? 2 * (lane % 4) + e : lane / 4;
      const unsigned of_column = transposed ? lane / 4 : 2 * (lane % 4) + e;
      std::memcpy(&pair[e], static_cast<const std::byte*>(rows[8 * i + of_row]) + 2 * of_column, 2);
    }
    std::memcpy(&x[i], pair, sizeof(pair));
  }
}
inline void load_matrices_transposed(std::uint32_t (&x)[4], const void* row) {
  load_matrices(x, row, true);
}

inline void copy_async(void* shared, const void* global, bool valid = true) {
  cuda_on_host::copy_later(shared, valid ? global : nullptr);
}
inline void commit_copies() { cuda_on_host::commit_copies(); }
template <int left>
void wait_for_copies() {
  cuda_on_host::wait_for_copies(left);
}

}  // namespace precis::cuda
