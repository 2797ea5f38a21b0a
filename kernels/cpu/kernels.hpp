// The kernels of the cpu backend, declared from the instruction set's function types.
#pragma once

#include "kernels/backend.hpp"

namespace precis::cpu {

#include "kernels/functions.inc"

}  // namespace precis::cpu
