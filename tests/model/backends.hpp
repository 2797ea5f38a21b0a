// The backends that the model's tests run on: the same tests are linked with on_cpu.cpp and with
// on_cuda.cpp.
#pragma once

#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "kernels/reference/kernels.hpp"
#include "tensor/device.hpp"

namespace precis {

[[nodiscard]] std::vector<const Backend*> backends_under_test();

}  // namespace precis
