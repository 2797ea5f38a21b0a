// The instructions that C++ has no name for. The tests have a header of the same name that does the
// same on the host (tests/kernels/cuda_on_host).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace precis::cuda {

/// The bits of x rounded to bf16, to nearest even.
__device__ inline std::uint16_t round_to_bf16(float x) {
  std::uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

/// Two rounded elements in one register, `low` in the lower half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// 2^x to about two units in the last place, 0 below 2^-126 (exp2f spends four instructions on what
/// lies there).
__device__ inline float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// A tile of a 16x16 matrix of bf16, row-major, over the lanes of a warp: lane l holds in x[0] row
/// l/4, columns 2(l%4) and +1; x[1] the same of row + 8; x[2], x[3] the same of columns + 8.
struct TileA {
  std::uint32_t x[4];
};
/// A 16x8 matrix: lane l holds in x[0] rows 2(l%4) and +1 of column l/4; x[1] the same of rows + 8.
struct TileB {
  std::uint32_t x[2];
};
/// A 16x8 matrix of f32: lane l holds in x[0], x[1] row l/4, columns 2(l%4) and +1; x[2], x[3] the
/// same of row + 8.
struct TileC {
  float x[4];
};

/// c += a b on the tensor cores (mma.sync.m16n8k16).
__device__ inline void multiply_add(TileC& c, const TileA& a, const TileB& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
      : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b.x[0]), "r"(b.x[1]));
}

/// Four 8x8 matrices of bf16 from shared memory: lane l gives the address of row l%8 (16 bytes,
/// aligned) of matrix l/8; x[i] gets row l/4, columns 2(l%4) and +1 of matrix i.
__device__ inline void load_matrices(std::uint32_t (&x)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}
/// The same with each matrix transposed: x[i] gets column l/4, rows 2(l%4) and +1 of matrix i.
__device__ inline void load_matrices_transposed(std::uint32_t (&x)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}

/// Starts a copy of 16 bytes from global to shared memory, both aligned to 16; zeros if `!valid`.
__device__ inline void copy_async(void* shared, const void* global, bool valid = true) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(global), "r"(bytes)
               : "memory");
}
/// Ends a group of this thread's copies.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most `left` of this thread's groups are under way. The other threads' copies are
/// there after the next __syncthreads().
template <int left>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
}

}  // namespace precis::cuda
