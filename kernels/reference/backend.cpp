#include "kernels/reference/kernels.hpp"
#include "kernels/table.hpp"

namespace precis::reference {

constexpr Capabilities capabilities{.reads_lists = true};

const Backend backend{
    .name = "reference",
    .runs_ahead = false,
    .one_pack = true,
#include "kernels/table.inc"
};

}  // namespace precis::reference
