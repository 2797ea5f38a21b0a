#include "tensor/device.hpp"

#include <omp.h>

#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"

namespace precis {

Tensor Device::zeros(const Shape& shape, DType dtype) {
  Tensor tensor = allocate(shape, dtype);
  backend_->fill(queue_, tensor.view(), 0.0);
  return tensor;
}

Device open_device(std::string_view name) {
  if (name == "cuda") {
    fail_usage(
        "device = cuda was asked for, but this program was built without CUDA. Use device = cpu or "
        "auto.");
  }
  if (name != "cpu" && name != "auto") {
    fail_usage("device is `{}`; expected auto, cpu or cuda.", name);
  }
  return Device(cpu::backend);
}

int set_threads(int threads) {
  const int chosen = threads > 0 ? threads : omp_get_num_procs();
  omp_set_num_threads(chosen);
  return chosen;
}

}  // namespace precis
