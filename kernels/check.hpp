// Checks of a kernel's arguments, with the one message that names kernel and argument. Free of
// fmt, so that CUDA's compiler reads it too.
#pragma once

#include <string>

#include "kernels/view.hpp"

namespace precis {

/// Throws Error unless `x` has this element type and shape.
void check_argument(const char* kernel, const char* argument, ConstView x, DType dtype,
                    const Shape& shape);

/// Throws Error unless `x` has this many axes.
void check_rank(const char* kernel, const char* argument, ConstView x, int rank);

/// Throws Error with "Kernel NAME: MESSAGE" unless `condition` holds.
void check_that(bool condition, const char* kernel, const char* message);

/// Throws Error unless both have the same element type and shape: a copy between host and device.
void check_copy(ConstView out, ConstView x);

}  // namespace precis
