// What the products of linear.cpp leave to kernels of our own.
#pragma once

#include "kernels/kernels.hpp"

namespace precis::cuda {

/// sums (columns) f32 += the rows of x (N, columns), f32 or bf16, added in a fixed order.
void add_column_sums(Queue& queue, View sums, ConstView x);

}  // namespace precis::cuda
