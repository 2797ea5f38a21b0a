// The log-softmax of one row of logits by one block, shared by the vocabulary kernels and by
// sampling so that both give the same bits.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "kernels/cuda/block.hpp"

namespace precis::cuda {

/// The threads of a block that treats a row.
inline constexpr int row_threads = 512;

/// Exponents below give 0 in f32.
inline constexpr float lowest_exponent = -104.0F;

/// logits / temperature; temperature 1 keeps every bit.
__device__ inline float tempered(float logit, float temperature) {
  return temperature == 1.0F ? logit : logit / temperature;
}

struct Quad {
  float x[4];
};

/// row[4i] .. row[4i + 3], minus infinity from n on. A row need not be aligned (a vocabulary is
/// often odd): two aligned loads then hold the four elements, so that a thread has the same
/// elements of a row wherever the row begins.
__device__ inline Quad quad_of(const float* row, std::int64_t n, std::int64_t i) {
  const auto shift = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(row) / 4 % 4);
  const auto* aligned = reinterpret_cast<const float4*>(row - shift) + i;
  if (shift == 0 && 4 * i + 4 <= n) {
    const float4 a = aligned[0];
    return {{a.x, a.y, a.z, a.w}};
  }
  if (shift != 0 && 4 * i + 8 - shift <= n) {
    const float4 a = aligned[0];
    const float4 b = aligned[1];
    if (shift == 1) {
      return {{a.y, a.z, a.w, b.x}};
    }
    return shift == 2 ? Quad{{a.z, a.w, b.x, b.y}} : Quad{{a.w, b.x, b.y, b.z}};
  }
  Quad rest;
  for (int j = 0; j < 4; ++j) {
    rest.x[j] = 4 * i + j < n ? row[4 * i + j] : -INFINITY;
  }
  return rest;
}

/// The sums of exp(z - max) and of exp(z - max) * (z - max) over the z that one thread has seen. In
/// f64: a log-prob near 0 is the logarithm of a sum near 1, whose small terms must not be lost.
template <bool with_entropy>
struct ThreadSums {
  float max = -INFINITY;
  double sum = 0.0;
  double weighted = 0.0;

  /// Moves the sums to another maximum, not below the one they have.
  __device__ void move_to(float new_max) {
    if (max > -INFINITY) {  // Otherwise the sums are 0, or a NaN that stays.
      const double step = static_cast<double>(max) - static_cast<double>(new_max);
      const double factor = exp(step);
      if constexpr (with_entropy) {
        weighted = __dmul_rn(fma(sum, step, weighted), factor);
      }
      sum = __dmul_rn(sum, factor);  // Never fused with a sum that follows, in any kernel.
    }
    max = new_max;
  }
  template <int count>
  __device__ void add(const float (&z)[count]) {
    float tile_max = z[0];
    for (int j = 1; j < count; ++j) {
      tile_max = fmaxf(tile_max, z[j]);
    }
    if (tile_max > max) {
      move_to(tile_max);
    }
    const float shift = max > -INFINITY ? max : 0.0F;
    for (int j = 0; j < count; ++j) {
      const float e = expf(z[j] - shift);
      sum += static_cast<double>(e);
      if constexpr (with_entropy) {
        // A logit of minus infinity has p = 0 and adds nothing.
        weighted += static_cast<double>(e * fmaxf(z[j] - shift, lowest_exponent));
      }
    }
  }
};

struct RowStatistics {
  double max;      ///< Of the tempered logits z.
  double excess;   ///< log(sum exp(z - max)): the log-sum-exp less max.
  double entropy;  ///< In nats; 0 unless asked for.
};

/// All results are NaN where a logit is NaN or none is finite. One pass (Milakov and Gimelshein
/// 2018); H = log_sum_exp - sum p z = log S - (sum exp(z - max) (z - max)) / S. All row_threads
/// threads call it and have the result.
template <bool with_entropy>
__device__ RowStatistics row_statistics(const float* row, std::int64_t n, float temperature) {
  ThreadSums<with_entropy> sums;
  const std::int64_t quads = (n + 3) / 4;
  for (std::int64_t i = threadIdx.x; i < quads; i += 2 * row_threads) {
    const Quad a = quad_of(row, n, i);
    const Quad b = quad_of(row, n, i + row_threads);
    float z[8];
    for (int j = 0; j < 4; ++j) {
      z[j] = tempered(a.x[j], temperature);
      z[4 + j] = tempered(b.x[j], temperature);
    }
    sums.add(z);
  }
  const float max = over_block<row_threads>(sums.max, MaxOf());
  sums.move_to(max);
  const double sum = over_block<row_threads>(sums.sum, SumOf());
  const double excess = max > -INFINITY ? log(sum) : NAN;
  double entropy = 0.0;
  if constexpr (with_entropy) {
    entropy = excess - over_block<row_threads>(sums.weighted, SumOf()) / sum;
  }
  return {fabs(excess) < INFINITY ? static_cast<double>(max) : NAN, excess, entropy};
}

/// The log-prob of `token` in a row with these statistics.
__device__ inline float row_logprob(const float* row, std::int64_t token, float temperature,
                                    const RowStatistics& statistics) {
  return static_cast<float>(static_cast<double>(tempered(row[token], temperature)) -
                            statistics.max - statistics.excess);
}

}  // namespace precis::cuda
