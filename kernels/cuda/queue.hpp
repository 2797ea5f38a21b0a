// What the CUDA backend keeps for a queue: a stream and scratch memory.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/queue.hpp"

namespace precis::cuda {

struct Free {
  void operator()(void* memory) const noexcept;
};

/// Device memory that grows to the largest request and is used again by the next kernel of the
/// queue: what an earlier call returned is invalid after the next one.
class Scratch {
 public:
  [[nodiscard]] std::byte* bytes(std::int64_t size);
  template <class T>
  [[nodiscard]] T* of(std::int64_t count) {
    return reinterpret_cast<T*>(bytes(count * static_cast<std::int64_t>(sizeof(T))));
  }

 private:
  std::unique_ptr<void, Free> memory_;
  std::int64_t size_ = 0;
};

struct QueueState {
  QueueState();
  QueueState(const QueueState&) = delete;
  QueueState& operator=(const QueueState&) = delete;
  ~QueueState();

  cudaStream_t stream = nullptr;
  Scratch scratch;         ///< Of the kernel that is being started.
  Scratch matmul_scratch;  ///< Of cuBLASLt.
  std::shared_ptr<void>
      matmuls;  ///< cuBLASLt and its plans (matmul.hpp), from the first product on.
};

/// How often device memory was taken or given back so far: while it stays the same, what a recorded
/// kernel points at is still there.
[[nodiscard]] std::uint64_t memory_changes() noexcept;

[[nodiscard]] inline cudaStream_t stream_of(const Queue& queue) {
  return queue.state<QueueState>().stream;
}
/// The scratch memory of a kernel, valid until the next kernel of this queue.
[[nodiscard]] inline Scratch& scratch_of(const Queue& queue) {
  return queue.state<QueueState>().scratch;
}

}  // namespace precis::cuda
