// The CPU backend on a device where what nobody has written holds a chosen byte: memory that was
// just taken, gaps between tensors of flat buffers, slots of the KV cache that no sequence owns.
#pragma once

#include <cstdint>

#include "device/arena.hpp"
#include "model/parameters.hpp"

namespace precis::test {

/// `byte` 0xFF: NaN in f32, bf16 and f64, and an index of no list.
[[nodiscard]] Device filled_device(std::uint8_t byte);

/// Fills the gaps of such a device's parameters, and those of each flat buffer of the same size
/// that a kernel fills from now on, as an optimizer does before it forms gradients.
void fill_gaps(Device& device, Parameters& parameters);

/// Fills memory between two passes, when nothing in it is to be used again.
void fill_arena(Device& device, Arena& arena);

/// What the device has filled beside memory that was just taken.
struct Filled {
  std::int64_t cache_slots = 0;  ///< of one kv head in one layer, at each decode step
  std::int64_t gaps = 0;         ///< elements
};
[[nodiscard]] Filled filled_so_far(const Device& device);

}  // namespace precis::test
