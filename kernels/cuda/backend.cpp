#include "kernels/cuda/kernels.hpp"

namespace precis::cuda {

const Backend backend{
    .name = "cuda",
#include "kernels/table.inc"
};

}  // namespace precis::cuda
