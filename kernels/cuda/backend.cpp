#include "kernels/cuda/kernels.hpp"
#include "kernels/table.hpp"

namespace precis::cuda {

constexpr Capabilities capabilities{.has_bf16 = true};

const Backend backend{
    .name = "cuda",
    .runs_ahead = true,
    .one_pack = true,
#include "kernels/table.inc"
};

}  // namespace precis::cuda
