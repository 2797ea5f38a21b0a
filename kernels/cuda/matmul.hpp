// Matrix products by cuBLASLt, with a plan for each kind of product that is made once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "kernels/cuda/cublaslt.hpp"
#include "kernels/cuda/queue.hpp"
#include "kernels/view.hpp"

namespace precis::cuda {

/// A matrix in the column-major sense of cuBLASLt: `rows` consecutive elements per column.
struct MatmulOperand {
  const void* data;
  DType dtype;
  std::int64_t rows;
  std::int64_t columns;
  bool transposed = false;
};

/// d = op(a) op(b) + bias + beta c, accumulated in f32; c may be d's memory. bias (rows of d), of
/// the type of d, may be null. With `gelu` d is the GELU of that sum, by the tanh approximation,
/// and the sum itself goes to `before_gelu`, in the type of d, unless that is null.
struct Matmul {
  MatmulOperand a, b;
  const void* bias = nullptr;
  const void* c = nullptr;  ///< null: beta is 0
  void* d = nullptr;
  bool gelu = false;
  void* before_gelu = nullptr;
  DType d_type = DType::f32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// The plans of one queue, each made when a shape is met for the first time. The algorithm is
/// cuBLASLt's first choice among those without atomics, so that every launch on the same kind of
/// GPU with the same library has the same bits.
class Matmuls {
 public:
  Matmuls();
  Matmuls(const Matmuls&) = delete;
  Matmuls& operator=(const Matmuls&) = delete;
  ~Matmuls();

  /// Whether cuBLASLt should compute this product, which has `gelu`: in bf16, where it has an
  /// algorithm, on Hopper and newer. On Ampere it was slower so than product and GELU one after the
  /// other (github.com/karpathy/llm.c, pull request 338).
  [[nodiscard]] bool fuse_gelu(const Matmul& product);
  /// Throws Error if cuBLASLt knows no algorithm for it.
  void run(const Matmul& product, cudaStream_t stream, Scratch& scratch);

 private:
  struct Plan;
  /// Everything that the choice of an algorithm rests on.
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool, bool, DType,
                         DType, bool, bool, bool, bool, std::uint64_t>;

  [[nodiscard]] std::unique_ptr<Plan> make_plan(const Matmul& product) const;
  [[nodiscard]] Plan& plan_for(const Matmul& product);
  void set_pointers(const Plan& plan, const Matmul& product) const;

  CublasLt lt_;
  bool gelu_is_fast_ = false;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace precis::cuda
