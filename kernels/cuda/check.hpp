// The check that every call of the CUDA runtime goes through.
#pragma once

#include <cuda_runtime.h>

namespace precis::cuda {

/// Throws Error with the call's name and CUDA's own message unless `result` is success.
void check(cudaError_t result, const char* call);

}  // namespace precis::cuda
