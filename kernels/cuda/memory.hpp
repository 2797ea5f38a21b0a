// A stream and the device memory that is allocated and freed in its order.
#pragma once

#include <cuda_runtime.h>

#include "kernels/memory.hpp"

namespace precis::cuda {

/// The driver's pool is the arena: it keeps what was freed for the next request and waits for
/// nothing, where cudaMalloc and cudaFree would stop the device.
class StreamMemory final : public Memory {
 public:
  StreamMemory();
  ~StreamMemory() override;

  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }
  [[nodiscard]] Space space() const override;

 private:
  [[nodiscard]] void* take(std::int64_t bytes) override;
  void give_back(void* memory) noexcept override;

  cudaMemPool_t pool_ = nullptr;  // the device's own
  cudaStream_t stream_ = nullptr;
};

}  // namespace precis::cuda
