// Which tokens of a row top-k and top-p leave, found without sorting: by radix selection, whose
// histograms hold integers so that the order in which threads add to them does not matter.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/vocabulary.hpp"

namespace precis::cuda {

using Mass = unsigned long long;  // as atomicAdd has it
using Key = unsigned long long;

inline constexpr int token_bits = 22;
inline constexpr std::int64_t largest_vocabulary = std::int64_t{1} << token_bits;

/// Orders tokens by falling logit (or score), ties by rising id: the larger number comes first.
__device__ inline Key key_of(float logit, std::int64_t token) {
  // Adding 0 makes a zero of either sign the same. Negative floats order by falling bits.
  const std::uint32_t bits = __float_as_uint(logit + 0.0F);
  const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<Key>(ordered) << token_bits | static_cast<Key>(largest_vocabulary - 1 - token);
}
__device__ inline std::int64_t token_of(Key key) {
  return largest_vocabulary - 1 - static_cast<std::int64_t>(key & (largest_vocabulary - 1));
}
__device__ inline float logit_of(Key key) {
  const auto ordered = static_cast<std::uint32_t>(key >> token_bits);
  return __uint_as_float((ordered & 0x80000000U) != 0 ? ordered ^ 0x80000000U : ~ordered);
}

/// The tempered logits of a row and their maximum, which is finite.
struct FilteredRow {
  const float* logits;
  std::int64_t vocabulary;
  float temperature;
  float max;

  /// visit(logit, token) for this thread's tokens.
  template <class Visit>
  __device__ void for_each(const Visit& visit) const {
    for (std::int64_t i = threadIdx.x; 4 * i < vocabulary; i += row_threads) {
      const Quad quad = quad_of(logits, vocabulary, i);
      for (int j = 0; j < 4; ++j) {
        if (4 * i + j < vocabulary) {
          visit(quad.x[j], 4 * i + j);
        }
      }
    }
  }
  /// max - z in nats.
  __device__ float depth(float logit) const { return max - tempered(logit, temperature); }
};

inline constexpr int digit_bits = 11;
inline constexpr int digits = 1 << digit_bits;

/// The digit at which the sum of a histogram, from its top down, reaches the target.
struct Crossing {
  Mass digit;
  Mass mass;    ///< Of the digit.
  Mass needed;  ///< Of that mass, to reach the target: at least 1.
};

/// target(total mass) is at least 1 and at most the total. All row_threads threads call it after
/// the histogram is complete, and may change the histogram as soon as they have the result.
template <class Target>
__device__ Crossing crossing_of(const Mass* histogram, const Target& target) {
  constexpr int digits_a_thread = digits / row_threads;
  constexpr int warps = row_threads / warp_size;
  __shared__ Mass mass_of_warp[warps];
  __shared__ Crossing crossing;
  const int first = digits - 1 - static_cast<int>(threadIdx.x) * digits_a_thread;
  Mass mine = 0;
  for (int d = 0; d < digits_a_thread; ++d) {
    mine += histogram[first - d];
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  Mass above = mine;  // with this thread's
  for (int step = 1; step < warp_size; step *= 2) {
    const Mass other = __shfl_up_sync(all_lanes, above, static_cast<unsigned>(step));
    above += lane >= step ? other : 0;
  }
  if (lane == warp_size - 1) {
    mass_of_warp[warp] = above;
  }
  __syncthreads();
  above -= mine;
  Mass total = 0;
  for (int w = 0; w < warps; ++w) {
    above += w < warp ? mass_of_warp[w] : 0;
    total += mass_of_warp[w];
  }
  const Mass goal = target(total);
  if (above < goal && goal <= above + mine) {
    int digit = first;
    while (above + histogram[digit] < goal) {
      above += histogram[digit--];
    }
    crossing = {static_cast<Mass>(digit), histogram[digit], goal - above};
  }
  __syncthreads();
  return crossing;
}

/// The key of the last token of the shortest beginning of the row, in falling order, whose mass
/// reaches target(mass of the row). mass(logit, token) is an integer; tokens of the same logit have
/// the same mass, or none.
template <class MassOf, class Target>
__device__ Key last_key(const FilteredRow& row, Mass* histogram, const MassOf& mass,
                        const Target& target) {
  const auto crossing_over = [&](const auto& add_tokens, const auto& goal) {
    for (int d = static_cast<int>(threadIdx.x); d < digits; d += row_threads) {
      histogram[d] = 0;
    }
    __syncthreads();
    add_tokens();
    __syncthreads();
    return crossing_of(histogram, goal);
  };
  // The first digit is linear in the logit: it spreads the likely tokens over many places, where
  // the leading bits of a float would crowd them into a few.
  const auto first_digit = [&](float logit) {
    constexpr float digits_a_nat = 64.0F;
    return digits - 1 - static_cast<int>(fminf(row.depth(logit) * digits_a_nat, digits - 1.0F));
  };
  Crossing crossing = crossing_over(
      [&] {
        row.for_each([&](float logit, std::int64_t token) {
          if (const Mass m = mass(logit, token); m > 0) {
            atomicAdd(&histogram[first_digit(logit)], m);
          }
        });
      },
      target);
  const auto common = static_cast<int>(crossing.digit);
  Key prefix = 0;
  int shift = 5 * digit_bits;
  // The bits of the logit, then those of the token, unless all tokens of the logit are needed.
  while (shift > token_bits || (shift > 0 && crossing.needed < crossing.mass)) {
    shift -= digit_bits;
    const Mass needed = crossing.needed;
    crossing = crossing_over(
        [&] {
          row.for_each([&](float logit, std::int64_t token) {
            const Key key = key_of(logit, token);
            if (key >> (shift + digit_bits) != prefix || first_digit(logit) != common) {
              return;
            }
            if (const Mass m = mass(logit, token); m > 0) {
              atomicAdd(&histogram[key >> shift & (digits - 1)], m);
            }
          });
        },
        [&](Mass) { return needed; });
    prefix = prefix << digit_bits | crossing.digit;
    if (shift == token_bits) {
      // Whole tokens, all of one mass.
      const Mass m = mass(logit_of(prefix << token_bits), 0);
      crossing.needed = (crossing.needed + m - 1) / m * m;
    }
  }
  return prefix << shift;
}

/// The smallest key that is left of a row by the `top_k` largest logits (0: all) and then by the
/// shortest beginning of these, in falling order, that holds `top_p` of their probability.
/// histogram (digits) is shared memory.
__device__ inline Key lowest_kept_key(const FilteredRow& row, Mass* histogram, std::int64_t top_k,
                                      double top_p) {
  Key lowest = 0;
  if (top_k > 0 && top_k < row.vocabulary) {
    lowest = last_key(
        row, histogram, [](float, std::int64_t) { return Mass{1}; },
        [&](Mass) { return static_cast<Mass>(top_k); });
  }
  if (top_p < 1.0) {
    // In fixed point, whose sums are exact: largest_vocabulary of them fit.
    const auto mass = [&](float logit, std::int64_t token) {
      constexpr float one = 0x1p40F;
      return key_of(logit, token) < lowest ? Mass{0}
                                           : static_cast<Mass>(expf(-row.depth(logit)) * one);
    };
    lowest = last_key(row, histogram, mass, [&](Mass total) {
      const auto goal = static_cast<Mass>(ceil(fmax(top_p * static_cast<double>(total), 1.0)));
      return goal < total ? goal : total;
    });
  }
  return lowest;
}

}  // namespace precis::cuda
