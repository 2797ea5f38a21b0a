#include <cuda_runtime.h>
#include <fmt/format.h>

#include "device/cuda_device.hpp"
#include "kernels/cuda/can_run.hpp"
#include "kernels/cuda/kernels.hpp"

namespace precis {
namespace {

/// As a clause.
std::string reason_of(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver:
      return "this machine has no NVIDIA driver, or one that is too old for this program";
    case cudaErrorNoDevice:
      return "this machine has no GPU";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "this program was not compiled for this machine's GPU (CMAKE_CUDA_ARCHITECTURES)";
    default:
      return cudaGetErrorString(error);
  }
}

}  // namespace

CudaAnswer find_cuda() {
  int count = 0;
  cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess) {
    result = count > 0 ? cuda::can_run() : cudaErrorNoDevice;
  }
  if (result == cudaSuccess) {
    return {&cuda::backend, ""};
  }
  cudaGetLastError();  // Else the next check would find it again.
  return {nullptr, reason_of(result)};
}

}  // namespace precis
