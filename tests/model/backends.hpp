// The backends that the model's tests run on: the same tests are linked with on_cpu.cpp and with
// on_cuda.cpp.
#pragma once

#include <vector>

#include "device/device.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/reference/kernels.hpp"

namespace precis {

[[nodiscard]] std::vector<const Backend*> backends_under_test();

}  // namespace precis
