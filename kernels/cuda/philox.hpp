// The random numbers of base/random.hpp on the device.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "base/random.hpp"

namespace precis::cuda {

/// random_block(seed, purpose, episode, position, index): Philox4x32-10 (Salmon et al. 2011).
__device__ inline uint4 random_words(std::uint64_t seed, Purpose purpose, std::uint64_t episode,
                                     std::uint32_t position, std::uint32_t index) {
  constexpr std::uint32_t multiplier0 = 0xD2511F53U;
  constexpr std::uint32_t multiplier1 = 0xCD9E8D57U;
  uint4 counter = make_uint4(
      index, position, static_cast<std::uint32_t>(episode),
      static_cast<std::uint32_t>(episode >> 32) | static_cast<std::uint32_t>(purpose) << 16);
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(multiplier0, counter.x);
    const std::uint32_t high1 = __umulhi(multiplier1, counter.z);
    counter = make_uint4(high1 ^ counter.y ^ key0, multiplier1 * counter.z,
                         high0 ^ counter.w ^ key1, multiplier0 * counter.x);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace precis::cuda
