// The one question about GPUs that is answered when the program is linked.
#pragma once

#include <string>

#include "kernels/backend.hpp"

namespace precis {

struct CudaAnswer {
  const Backend* backend = nullptr;  ///< null: there is no GPU to compute on
  std::string reason;                ///< why there is none, as a clause
};

/// The CUDA backend with a GPU chosen for this process, or why there is none.
/// (with_cuda.cpp, without_cuda.cpp.)
[[nodiscard]] CudaAnswer find_cuda();

}  // namespace precis
