// Numbers of the two precisions on the device: stored as f32 or bf16, computed with as f32.
#pragma once

#include <cuda_runtime.h>

#include "kernels/check.hpp"
#include "kernels/cuda/ptx.hpp"
#include "kernels/view.hpp"

namespace precis::cuda {

using precis::to_f32;
__device__ inline float to_f32(float x) { return x; }

/// x rounded to nearest even.
template <class T>
__device__ T from_f32(float x);
template <>
__device__ inline float from_f32<float>(float x) {
  return x;
}
template <>
__device__ inline BFloat16 from_f32<BFloat16>(float x) {
  return {round_to_bf16(x)};
}

/// Calls function(T{}) with T the element type of a view of f32 or bf16.
template <class Function>
void with_precision(const char* kernel, DType dtype, const Function& function) {
  if (dtype == DType::bf16) {
    function(BFloat16{});
  } else {
    check_that(dtype == DType::f32, kernel, "computes in f32 and bf16 only.");
    function(float{});
  }
}

}  // namespace precis::cuda
