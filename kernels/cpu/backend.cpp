#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {

const Backend backend{
    .name = "cpu",
#include "kernels/table.inc"
};

}  // namespace precis::cpu
