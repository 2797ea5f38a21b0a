#include "kernels/reference/kernels.hpp"

namespace precis::reference {

const Backend backend{
    .name = "reference",
#include "kernels/table.inc"
};

}  // namespace precis::reference
