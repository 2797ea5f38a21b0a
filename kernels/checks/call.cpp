#include <bit>

#include "base/error.hpp"
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

void KernelCall::parts(const char* argument, SumParts parts, std::int64_t length) const {
  if (parts.empty()) {
    return;
  }
  require(std::has_single_bit(parts.size() - 1),
          "Kernel {}: {} has {} bounds; expected one more than a power of two.", kernel, argument,
          parts.size());
  std::int64_t last = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t lowest = i + 1 < parts.size() ? last : length;
    const std::int64_t highest = i > 0 ? length : 0;
    require(lowest <= parts[i] && parts[i] <= highest,
            "Kernel {}: {}[{}] is {}; expected bounds that rise from 0 to {}.", kernel, argument, i,
            parts[i], length);
    last = parts[i];
  }
}

}  // namespace precis
