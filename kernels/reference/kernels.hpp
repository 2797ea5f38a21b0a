// The kernels of the reference backend, declared from the instruction set's function types.
#pragma once

#include "kernels/backend.hpp"

namespace precis::reference {

#include "kernels/functions.inc"

}  // namespace precis::reference
