#include "kernels/cuda/can_run.hpp"

namespace precis::cuda {
namespace {

__global__ void nothing() {}

}  // namespace

cudaError_t can_run() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(nothing));
}

}  // namespace precis::cuda
