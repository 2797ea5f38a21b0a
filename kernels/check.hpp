// Checks of a kernel's arguments, with the one message that names kernel and argument.
#pragma once

#include "base/error.hpp"
#include "kernels/view.hpp"

namespace precis {

/// Throws Error unless `x` has this element type and shape. The CPU backends compute in f32 only; a
/// view of another floating type is refused here.
inline void check_argument(const char* kernel, const char* argument, ConstView x, DType dtype,
                           const Shape& shape) {
  if (x.dtype() == dtype && x.shape() == shape) [[likely]] {
    return;
  }
  const bool is_precision = x.dtype() == DType::bf16 && dtype == DType::f32;
  fail("Kernel {}: argument {} is {} {}; expected {} {}.{}", kernel, argument, name_of(x.dtype()),
       to_string(x.shape()), name_of(dtype), to_string(shape),
       is_precision ? " This kernel computes in f32 only; set precision = f32." : "");
}

/// Throws Error unless `x` has this many axes.
inline void check_rank(const char* kernel, const char* argument, ConstView x, int rank) {
  require(x.shape().rank() == rank, "Kernel {}: argument {} has shape {}; expected {} axes.",
          kernel, argument, to_string(x.shape()), rank);
}

}  // namespace precis
