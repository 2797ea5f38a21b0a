// The kernels of the cuda backend, declared from the instruction set's function types.
#pragma once

#include "kernels/backend.hpp"

namespace precis::cuda {

#include "kernels/functions.inc"

}  // namespace precis::cuda
