#include "kernels/reference/kernels.hpp"

namespace precis::reference {

const Backend backend{
    .name = "reference",
    .runs_ahead = false,
    .one_pack = true,
#include "kernels/table.inc"
};

}  // namespace precis::reference
