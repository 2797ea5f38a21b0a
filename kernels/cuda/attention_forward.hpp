// What the kernels of attention's forward pass share.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention.hpp"

namespace precis::cuda {

template <class T>
struct ForwardArguments {
  T* out;
  float* log_sum_exp;
  const T *q, *k, *v;
  const std::int32_t* offsets;
  AttentionShape shape;
  float scale;
  float score_unit;  ///< Of a score in a power of two: scale * log2(e).
};

template <class T>
__device__ void clear_gap(const ForwardArguments<T>& x, std::int64_t token, int head, int rows) {
  clear_rows(x.out + x.shape.q_place(token, head), x.shape.q_stride(), rows, x.shape.head_dim);
  clear_rows(x.log_sum_exp + token * x.shape.heads + head, x.shape.heads, rows, 1);
}

}  // namespace precis::cuda
