// What the CUDA backend keeps for a queue: a stream and scratch memory.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/cuda/memory.hpp"
#include "kernels/queue.hpp"
#include "kernels/scratch.hpp"

namespace precis::cuda {

struct QueueState {
  explicit QueueState(const std::shared_ptr<StreamMemory>& memory)
      : stream(memory->stream()), scratch(memory), matmul_scratch(memory) {}

  cudaStream_t stream;     ///< Lives as long as the memory.
  Scratch scratch;         ///< Of the kernel that is being started.
  Scratch matmul_scratch;  ///< Of cuBLASLt.
  std::shared_ptr<void>
      matmuls;  ///< cuBLASLt and its plans (matmul.hpp), from the first product on.
};

[[nodiscard]] inline cudaStream_t stream_of(const Queue& queue) {
  return queue.state<QueueState>().stream;
}
/// The scratch memory of a kernel, valid until the next kernel of this queue.
[[nodiscard]] inline Scratch& scratch_of(const Queue& queue) {
  return queue.state<QueueState>().scratch;
}

}  // namespace precis::cuda
