// What the CPU backend keeps for a queue: scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/queue.hpp"

namespace precis::cpu {

/// Alignment in bytes of the backend's memory: a cache line, and the widest vector.
inline constexpr std::int64_t alignment = 64;

struct Deallocate {
  void operator()(void* memory) const noexcept;
};

/// Owned memory aligned to `alignment`, not initialised.
using Memory = std::unique_ptr<std::byte, Deallocate>;

/// Throws Error with the size if there is not so much memory.
[[nodiscard]] Memory allocate_memory(std::int64_t bytes);

/// Memory that grows to the largest request and is used again: what an earlier call returned is
/// invalid after the next one.
class Scratch {
 public:
  [[nodiscard]] std::byte* bytes(std::int64_t size);
  [[nodiscard]] float* floats(std::int64_t count) {
    return reinterpret_cast<float*>(bytes(count * static_cast<std::int64_t>(sizeof(float))));
  }

 private:
  Memory memory_;
  std::int64_t size_ = 0;
};

struct QueueState {
  Scratch scratch;  ///< Of the kernel that is running.
  Scratch panels;   ///< Of linear_weight_gradient: its packed right factor, beside `scratch`.
};

/// The scratch memory of a kernel, valid until the next kernel of this queue.
[[nodiscard]] inline Scratch& scratch_of(Queue& queue) { return queue.state<QueueState>().scratch; }

}  // namespace precis::cpu
