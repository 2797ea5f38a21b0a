#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {

const Backend backend{
    .name = "cpu",
    .runs_ahead = false,
    .one_pack = false,
#include "kernels/table.inc"
};

}  // namespace precis::cpu
