#include "kernels/cpu/kernels.hpp"
#include "kernels/table.hpp"

namespace precis::cpu {

constexpr Capabilities capabilities{.reads_lists = true};

const Backend backend{
    .name = "cpu",
    .runs_ahead = false,
    .one_pack = false,
#include "kernels/table.inc"
};

}  // namespace precis::cpu
