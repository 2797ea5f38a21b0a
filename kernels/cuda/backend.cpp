#include "kernels/cuda/kernels.hpp"

namespace precis::cuda {

const Backend backend{
    .name = "cuda",
    .runs_ahead = true,
    .one_pack = true,
#include "kernels/table.inc"
};

}  // namespace precis::cuda
