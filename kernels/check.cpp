#include "kernels/check.hpp"

#include "base/error.hpp"

namespace precis {

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    text += fmt::format("{}{}", axis == 0 ? "" : ", ", shape[axis]);
  }
  return text + ")";
}

void check_argument(const char* kernel, const char* argument, ConstView x, DType dtype,
                    const Shape& shape) {
  if (x.dtype() == dtype && x.shape() == shape) [[likely]] {
    return;
  }
  const bool is_precision = x.dtype() == DType::bf16 && dtype == DType::f32;
  fail("Kernel {}: argument {} is {} {}; expected {} {}.{}", kernel, argument, name_of(x.dtype()),
       to_string(x.shape()), name_of(dtype), to_string(shape),
       is_precision ? " This kernel computes in f32 only; set precision = f32." : "");
}

void check_rank(const char* kernel, const char* argument, ConstView x, int rank) {
  require(x.shape().rank() == rank, "Kernel {}: argument {} has shape {}; expected {} axes.",
          kernel, argument, to_string(x.shape()), rank);
}

void check_that(bool condition, const char* kernel, const char* message) {
  require(condition, "Kernel {}: {}", kernel, message);
}

void check_copy(ConstView out, ConstView x) {
  require(
      out.dtype() == x.dtype() && out.shape() == x.shape(),
      "A copy from {} {} to {} {} was asked for; both must have the same shape and element type.",
      name_of(x.dtype()), to_string(x.shape()), name_of(out.dtype()), to_string(out.shape()));
}

}  // namespace precis
