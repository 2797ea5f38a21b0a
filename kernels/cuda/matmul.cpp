#include "kernels/cuda/matmul.hpp"

#include <algorithm>
#include <bit>

#include "base/error.hpp"
#include "kernels/cuda/check.hpp"

namespace precis::cuda {
namespace {

constexpr std::uint64_t workspace_bytes = std::uint64_t{32} << 20;

cudaDataType_t type_of(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

/// The largest power of two, at most 256, that divides the address.
std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return address == 0 ? 256U : 1U << std::min(8, std::countr_zero(address));
}

/// c and d have one layout, and so one alignment.
std::uint32_t alignment_of_results(const Matmul& product) {
  return std::min(alignment_of(product.c), alignment_of(product.d));
}

cublasLtEpilogue_t epilogue_of(const Matmul& product) {
  const bool has_bias = product.bias != nullptr;
  if (product.before_gelu != nullptr) {
    return has_bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  }
  if (product.gelu) {
    return has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  }
  return has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

/// Owns one of cuBLASLt's descriptions.
template <class Opaque>
using Owned = std::unique_ptr<Opaque, cublasStatus_t (*)(Opaque*)>;
using Operation = Owned<cublasLtMatmulDescOpaque_t>;
using Layout = Owned<cublasLtMatrixLayoutOpaque_t>;
using Preference = Owned<cublasLtMatmulPreferenceOpaque_t>;

Operation make_operation(const CublasLt& lt) {
  cublasLtMatmulDesc_t made = nullptr;
  lt.check(lt.matmul_desc_create(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F),
           "cublasLtMatmulDescCreate");
  return {made, lt.matmul_desc_destroy};
}

Layout make_layout(const CublasLt& lt, DType dtype, std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayout_t made = nullptr;
  lt.check(lt.matrix_layout_create(&made, type_of(dtype), static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), rows),
           "cublasLtMatrixLayoutCreate");
  return {made, lt.matrix_layout_destroy};
}

Preference make_preference(const CublasLt& lt) {
  cublasLtMatmulPreference_t made = nullptr;
  lt.check(lt.matmul_preference_create(&made), "cublasLtMatmulPreferenceCreate");
  return {made, lt.matmul_preference_destroy};
}

template <class Value>
void set(const CublasLt& lt, const Operation& operation, cublasLtMatmulDescAttributes_t attribute,
         const Value& value) {
  lt.check(lt.matmul_desc_set_attribute(operation.get(), attribute, &value, sizeof(value)),
           "cublasLtMatmulDescSetAttribute");
}

template <class Value>
void set(const CublasLt& lt, const Preference& preference,
         cublasLtMatmulPreferenceAttributes_t attribute, const Value& value) {
  lt.check(lt.matmul_preference_set_attribute(preference.get(), attribute, &value, sizeof(value)),
           "cublasLtMatmulPreferenceSetAttribute");
}

}  // namespace

struct Matmuls::Plan {
  Operation operation;
  Layout a, b, d;
  cublasLtMatmulAlgo_t algorithm{};
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;  ///< else cuBLASLt has no algorithm
};

Matmuls::Matmuls() {
  int device = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  gelu_is_fast_ = properties.major >= 9;
  // Last, since without an object nothing would free it.
  lt_.check(lt_.create(&handle_), "cublasLtCreate");
}

Matmuls::~Matmuls() { lt_.destroy(handle_); }

std::unique_ptr<Matmuls::Plan> Matmuls::make_plan(const Matmul& product) const {
  auto plan = std::make_unique<Plan>(
      Plan{make_operation(lt_),
           make_layout(lt_, product.a.dtype, product.a.rows, product.a.columns),
           make_layout(lt_, product.b.dtype, product.b.rows, product.b.columns),
           make_layout(lt_, product.d_type, product.rows, product.columns),
           {},
           {}});
  const auto operation_of = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(lt_, plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, operation_of(product.a.transposed));
  set(lt_, plan->operation, CUBLASLT_MATMUL_DESC_TRANSB, operation_of(product.b.transposed));
  set(lt_, plan->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(product));
  if (product.bias != nullptr) {
    set(lt_, plan->operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(product.d_type));
  }
  if (product.before_gelu != nullptr) {
    set(lt_, plan->operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, product.rows);
  }
  set_pointers(*plan, product);
  const Preference preference = make_preference(lt_);
  set(lt_, preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
  // Partial sums of a split product may only be joined in a fixed order.
  set(lt_, preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE) |
          static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  const std::uint32_t of_results = alignment_of_results(product);
  set(lt_, preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(product.a.data));
  set(lt_, preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(product.b.data));
  set(lt_, preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, of_results);
  set(lt_, preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, of_results);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const cublasStatus_t status = lt_.matmul_algo_get_heuristic(
      handle_, plan->operation.get(), plan->a.get(), plan->b.get(), plan->d.get(), plan->d.get(),
      preference.get(), 1, &found, &count);
  if (status != CUBLAS_STATUS_SUCCESS) {
    plan->status = status;
  } else {
    plan->status = count == 1 ? found.state : CUBLAS_STATUS_NOT_SUPPORTED;
  }
  plan->algorithm = found.algo;
  return plan;
}

void Matmuls::set_pointers(const Plan& plan, const Matmul& product) const {
  if (product.bias != nullptr) {
    set(lt_, plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.bias);
  }
  if (product.before_gelu != nullptr) {
    set(lt_, plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, product.before_gelu);
  }
}

Matmuls::Plan& Matmuls::plan_for(const Matmul& product) {
  std::uint64_t alignments = 0;
  for (const std::uint32_t alignment :
       {alignment_of(product.a.data), alignment_of(product.b.data), alignment_of_results(product),
        alignment_of(product.bias), alignment_of(product.before_gelu)}) {
    alignments = alignments << 9 | alignment;
  }
  const Key key{product.a.rows,
                product.a.columns,
                product.b.rows,
                product.b.columns,
                product.a.transposed,
                product.b.transposed,
                product.a.dtype,
                product.d_type,
                product.bias != nullptr,
                product.c != nullptr,
                product.gelu,
                product.before_gelu != nullptr,
                alignments};
  std::unique_ptr<Plan>& plan = plans_[key];
  if (plan == nullptr) {
    plan = make_plan(product);
  }
  return *plan;
}

bool Matmuls::fuse_gelu(const Matmul& product) {
  // cuBLASLt's condition on the memory that the GELU's input goes to.
  constexpr std::int64_t rows_at_once = 8;
  const bool fits = product.before_gelu == nullptr || product.rows % rows_at_once == 0;
  return gelu_is_fast_ && product.d_type == DType::bf16 && fits &&
         plan_for(product).status == CUBLAS_STATUS_SUCCESS;
}

void Matmuls::run(const Matmul& product, cudaStream_t stream, Scratch& scratch) {
  Plan& plan = plan_for(product);
  require(plan.status == CUBLAS_STATUS_SUCCESS,
          "cuBLASLt has no algorithm for a product of {} {} x {} and {} {} x {}: {}.",
          name_of(product.a.dtype), product.a.rows, product.a.columns, name_of(product.b.dtype),
          product.b.rows, product.b.columns, lt_.get_status_string(plan.status));
  set_pointers(plan, product);
  const float alpha = 1.0F;
  const float beta = product.c != nullptr ? 1.0F : 0.0F;
  lt_.check(
      lt_.matmul(handle_, plan.operation.get(), &alpha, product.a.data, plan.a.get(),
                 product.b.data, plan.b.get(), &beta, product.c != nullptr ? product.c : product.d,
                 plan.d.get(), product.d, plan.d.get(), &plan.algorithm,
                 scratch.bytes(workspace_bytes), workspace_bytes, stream),
      "cublasLtMatmul");
}

}  // namespace precis::cuda
