// The backends that the model's tests run on.
#pragma once

#include "kernels/cpu/kernels.hpp"
#include "kernels/reference/kernels.hpp"
#include "tensor/device.hpp"

namespace precis {

inline const Backend* const all_backends[] = {&cpu::backend, &reference::backend};

}  // namespace precis
