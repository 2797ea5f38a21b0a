#include "kernels/cuda/check.hpp"

#include "base/error.hpp"

namespace precis::cuda {

void check(cudaError_t result, const char* call) {
  require(result == cudaSuccess, "CUDA: {} failed: {} ({}).", call, cudaGetErrorString(result),
          cudaGetErrorName(result));
}

}  // namespace precis::cuda
