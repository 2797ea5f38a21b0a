#include "kernels/check.hpp"
#include "kernels/checks/checks.hpp"

namespace precis {

void KernelCall::rank(const char* argument, ConstView x, int axes) const {
  check_rank(kernel, argument, x, axes);
}

void KernelCall::tensor(const char* argument, ConstView x, DType dtype, const Shape& shape) const {
  check_argument(kernel, argument, x, dtype, shape);
}

void KernelCall::optional(const char* argument, ConstView x, DType dtype,
                          const Shape& shape) const {
  if (!x.empty()) {
    tensor(argument, x, dtype, shape);
  }
}

void KernelCall::activations(const char* argument, ConstView x, const Shape& shape) const {
  tensor(argument, x, backend.has_bf16 && x.dtype() == DType::bf16 ? DType::bf16 : DType::f32,
         shape);
}

void KernelCall::list(const char* argument, ConstView x, std::int64_t length) const {
  tensor(argument, x, DType::i32, {length});
}

}  // namespace precis
