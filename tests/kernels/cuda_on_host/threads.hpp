// The threads of a CUDA block on one thread of the host. Each has a stack of its own and runs until
// it waits for others (a barrier, a shuffle); then another, drawn at random, goes on. So a value
// that is read before the barrier that it needs is soon read wrong, and a thread that waits for one
// that never comes is an error with a name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

namespace cuda_on_host {

/// Runs `thread` once for each thread of a block, with threadIdx.x set. Throws what a thread
/// throws, and std::runtime_error with the kernel's name if threads wait for each other for ever or
/// write beyond the block's `shared_bytes` of dynamic shared memory, which are full of NaN at its
/// start.
void run_block(const char* kernel, int threads, std::size_t shared_bytes,
               const std::function<void()>& thread);

// Called by the threads of the block that runs.

/// Waits for all threads of the block that have not returned.
void barrier();
/// The dynamic shared memory.
[[nodiscard]] std::byte* shared_memory();
/// This thread's place in its warp.
[[nodiscard]] unsigned lane();

inline constexpr std::size_t largest_value = 64;  ///< bytes
/// Waits for the lanes of `mask` with `value` (at most largest_value bytes) in hand; afterwards
/// `all` has 32 values of largest_value bytes, those of lanes outside the mask NaN.
void exchange_bytes(unsigned mask, const void* value, std::size_t bytes, std::byte* all);

template <class T>
[[nodiscard]] std::array<T, 32> exchange(unsigned mask, const T& value) {
  static_assert(sizeof(T) <= largest_value);
  std::array<std::byte, 32 * largest_value> all;
  exchange_bytes(mask, &value, sizeof(T), all.data());
  std::array<T, 32> values;
  for (std::size_t lane = 0; lane < values.size(); ++lane) {
    std::memcpy(&values[lane], all.data() + lane * largest_value, sizeof(T));
  }
  return values;
}

/// cp.async: notes a copy of 16 bytes (zeros where from is null), which is done when its group is
/// waited for.
void copy_later(void* to, const void* from);
void commit_copies();
void wait_for_copies(int groups_left);

}  // namespace cuda_on_host
