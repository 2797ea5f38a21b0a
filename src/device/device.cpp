#include "device/device.hpp"

#include <omp.h>

#include "base/error.hpp"
#include "device/cuda_device.hpp"
#include "kernels/cpu/kernels.hpp"

namespace precis {

Tensor Device::zeros(const Shape& shape, DType dtype, MemoryUse use) {
  Tensor tensor = allocate(shape, dtype, use);
  backend_->fill(queue_, tensor.view(), 0.0);
  return tensor;
}

Device open_device(std::string_view name, std::string_view precision) {
  if (name != "cpu" && name != "auto" && name != "cuda") {
    fail_usage("device is `{}`; expected auto, cpu or cuda.", name);
  }
  if (precision != "f32" && precision != "bf16" && precision != "auto") {
    fail_usage("precision is `{}`; expected auto, f32 or bf16.", precision);
  }
  if (name != "cpu") {
    const CudaAnswer cuda = find_cuda();
    if (cuda.backend != nullptr) {
      return Device(*cuda.backend, precision == "f32" ? DType::f32 : DType::bf16);
    }
    if (name == "cuda") {
      fail_usage("device = cuda was asked for, but {}. Use device = cpu or auto.", cuda.reason);
    }
  }
  if (precision == "bf16") {
    fail_usage(
        "precision is bf16; on the CPU this version computes in f32 only. Use precision = f32.");
  }
  return Device(cpu::backend);
}

int set_threads(int threads) {
  const int chosen = threads > 0 ? threads : omp_get_num_procs();
  omp_set_num_threads(chosen);
  return chosen;
}

}  // namespace precis
