#include <cuda_runtime.h>

#include "kernels/cuda/kernels.hpp"
#include "tensor/cuda_device.hpp"

namespace precis {

CudaAnswer find_cuda() {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess && count > 0) {
    return {&cuda::backend, ""};
  }
  cudaGetLastError();  // Else the next check would find it again.
  if (result == cudaErrorInsufficientDriver) {
    return {nullptr, "this machine has no NVIDIA driver, or one that is too old for this program"};
  }
  return {nullptr, result == cudaSuccess ? "this machine has no GPU" : cudaGetErrorString(result)};
}

}  // namespace precis
