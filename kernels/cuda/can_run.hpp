// Whether the kernels can run at all.
#pragma once

#include <cuda_runtime.h>

namespace precis::cuda {

/// Success, unless the program was not compiled for the architecture of this process's GPU.
[[nodiscard]] cudaError_t can_run();

}  // namespace precis::cuda
