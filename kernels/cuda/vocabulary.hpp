// The parts of a row's log-softmax, each by one block, shared by the vocabulary kernels and by
// sampling so that both give the same bits.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/check.hpp"
#include "kernels/cuda/block.hpp"
#include "kernels/sum_parts.hpp"

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

/// One part of a row, as LogSoftmaxParts has it, but for the target.
struct RowPart {
  double max;       ///< Of the tempered logits z.
  double sum;       ///< Of exp(z - max).
  double weighted;  ///< Sum of exp(z - max) * (z - max); 0 unless asked for.
};

/// Of row[0, n). One pass (Milakov and Gimelshein 2018). All row_threads threads call it and have
/// the result.
template <bool with_entropy>
__device__ RowPart row_part(const float* row, std::int64_t n, float temperature) {
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
  double weighted = 0.0;
  if constexpr (with_entropy) {
    weighted = over_block<row_threads>(sums.weighted, SumOf());
  }
  // Maxima pass a NaN over; sums do not.
  if (sum != sum) {
    return {NAN, NAN, NAN};
  }
  return {static_cast<double>(max), sum, weighted};
}

/// Both parts, at the larger maximum.
struct JoinOf {
  __device__ RowPart operator()(const RowPart& a, const RowPart& b) const {
    if (a.max != a.max || b.max != b.max) {
      return {NAN, NAN, NAN};
    }
    const RowPart high = a.max >= b.max ? a : b;
    const RowPart low = a.max >= b.max ? b : a;
    if (low.max == -INFINITY) {
      return high;
    }
    const double step = low.max - high.max;
    const double factor = exp(step);
    // Products that are rounded before they are added: the same in every kernel.
    return {high.max, high.sum + __dmul_rn(low.sum, factor),
            high.weighted + __dmul_rn(fma(low.sum, step, low.weighted), factor)};
  }
};

/// The most parts that a vocabulary may be cut into.
inline constexpr std::int64_t most_parts = 64;

/// Parts of a row, as an argument of a kernel.
struct RowParts {
  int count;
  std::int64_t bounds[most_parts + 1];

  __device__ std::int64_t size(int part) const { return bounds[part + 1] - bounds[part]; }
};

/// items[0] = items[0, count) joined in the binary tree of in_tree (sum_parts.hpp). items is shared
/// memory; all threads of the block call it, after they have written the items, and may read
/// items[0] when it returns.
template <class Item, class Join>
__device__ void join_in_tree(Item* items, int count, const Join& join) {
  __syncthreads();
  for (int step = 1; step < count; step *= 2) {
    const int stride = 2 * step * static_cast<int>(blockDim.x);
    for (int i = 2 * step * static_cast<int>(threadIdx.x); i + step < count; i += stride) {
      items[i] = join(items[i], items[i + step]);
    }
    __syncthreads();
  }
}

struct RowStatistics {
  double max;      ///< Of the tempered logits z.
  double excess;   ///< log(sum exp(z - max)): the log-sum-exp less max.
  double entropy;  ///< In nats, of parts made with it.
};

/// H = log_sum_exp - sum p z = log S - (sum exp(z - max) (z - max)) / S. All are NaN where a logit
/// is NaN or none is finite.
__device__ inline RowStatistics statistics_of(const RowPart& whole) {
  const double excess = whole.max > -INFINITY ? log(whole.sum) : NAN;
  return {fabs(excess) < INFINITY ? whole.max : NAN, excess, excess - whole.weighted / whole.sum};
}

/// Of a row in parts. All row_threads threads call it and have the result.
__device__ inline RowStatistics row_statistics(const float* row, const RowParts& parts,
                                               float temperature) {
  __shared__ RowPart of_part[most_parts];
  for (int part = 0; part < parts.count; ++part) {
    const RowPart mine = row_part<false>(row + parts.bounds[part], parts.size(part), temperature);
    if (threadIdx.x == 0) {
      of_part[part] = mine;
    }
  }
  join_in_tree(of_part, parts.count, JoinOf());
  return statistics_of(of_part[0]);
}

/// The log-prob of a token whose tempered logit is z.
__device__ inline float row_logprob(double z, const RowStatistics& statistics) {
  return static_cast<float>(z - statistics.max - statistics.excess);
}

/// Refuses more parts than a kernel takes.
inline void check_parts(const char* kernel, std::int64_t count) {
  check_that(count <= most_parts, kernel, "a vocabulary may be cut into 64 parts at most.");
}

/// `parts` of a vocabulary.
inline RowParts row_parts(const char* kernel, SumParts parts, std::int64_t vocabulary) {
  check_parts(kernel, part_count(parts));
  RowParts row{static_cast<int>(part_count(parts)), {0, vocabulary}};
  std::copy(parts.begin(), parts.end(), row.bounds);
  return row;
}

}  // namespace precis::cuda
