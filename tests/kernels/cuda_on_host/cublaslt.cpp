// Stands in for the library that kernels/cuda/cublaslt.cpp loads: obvious loops with double
// accumulation over column-major matrices. It refuses what the library's documentation forbids: an
// algorithm is only for the alignments that it was asked for, of bias and GELU's input those of the
// pointers that the description had then; and the memory for GELU's input has its own conditions.
#include "kernels/cuda/cublaslt.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "kernels/view.hpp"

namespace {

using precis::BFloat16;

bool has_gelu(cublasLtEpilogue_t epilogue) { return (epilogue & 32) != 0; }
bool has_gelu_input(cublasLtEpilogue_t epilogue) { return (epilogue & 128) != 0; }
bool has_bias(cublasLtEpilogue_t epilogue) { return (epilogue & 4) != 0; }

bool is_aligned(const void* data, std::uint64_t alignment) {
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

/// Of vectors: what kernels that read 16 bytes at once ask for.
std::uint64_t alignment_of(const void* data) {
  std::uint64_t alignment = 16;
  while (!is_aligned(data, alignment)) {
    alignment /= 2;
  }
  return alignment;
}

double number(const void* x, cudaDataType_t type, std::int64_t i) {
  return type == CUDA_R_16BF ? precis::to_f32(static_cast<const BFloat16*>(x)[i])
                             : static_cast<const float*>(x)[i];
}

void put(void* x, cudaDataType_t type, std::int64_t i, double value) {
  if (type == CUDA_R_16BF) {
    static_cast<BFloat16*>(x)[i] = precis::to_bf16(static_cast<float>(value));
  } else {
    static_cast<float*>(x)[i] = static_cast<float>(value);
  }
}

double gelu(double x) {
  return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

/// The numbers of a matrix, or of its transpose, a column after the other.
std::vector<double> columns_in(const void* x, const cublasLtMatrixLayoutOpaque_t& layout,
                               bool transposed) {
  std::vector<double> result(static_cast<std::size_t>(layout.rows * layout.columns));
  for (std::int64_t column = 0; column < layout.columns; ++column) {
    for (std::int64_t row = 0; row < layout.rows; ++row) {
      const std::int64_t to =
          transposed ? row * layout.columns + column : column * layout.rows + row;
      result[static_cast<std::size_t>(to)] = number(x, layout.type, column * layout.stride + row);
    }
  }
  return result;
}

/// A matrix's rows or columns after op.
std::int64_t rows_of(const cublasLtMatrixLayoutOpaque_t& x, cublasOperation_t op) {
  return op == CUBLAS_OP_N ? x.rows : x.columns;
}
std::int64_t columns_of(const cublasLtMatrixLayoutOpaque_t& x, cublasOperation_t op) {
  return op == CUBLAS_OP_N ? x.columns : x.rows;
}

template <class Value>
cublasStatus_t assign(Value& to, const void* value, std::size_t bytes) {
  if (bytes != sizeof(Value)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "invalid value";
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t /*handle*/) { return CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t /*compute*/,
                                        cudaDataType_t /*scale*/) {
  *made = new cublasLtMatmulDescOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(desc->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(desc->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(desc->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return assign(desc->bias_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return assign(desc->aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return assign(desc->aux_stride, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t stride) {
  *made = new cublasLtMatrixLayoutOpaque_t{type, static_cast<std::int64_t>(rows),
                                           static_cast<std::int64_t>(columns), stride};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  *made = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return assign(preference->workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return assign(preference->reduction_schemes, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return assign(preference->alignments[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return assign(preference->alignments[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return assign(preference->alignments[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return assign(preference->alignments[3], value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t /*c*/, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t preference, int /*requested*/,
    cublasLtMatmulHeuristicResult_t* results, int* found) {
  const bool fits = rows_of(*a, desc->transpose_a) == d->rows &&
                    columns_of(*b, desc->transpose_b) == d->columns &&
                    columns_of(*a, desc->transpose_a) == rows_of(*b, desc->transpose_b) &&
                    a->type == b->type && (a->type == d->type || d->type == CUDA_R_32F);
  if (!fits || (has_bias(desc->epilogue) && desc->bias_type != d->type)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  *found = 0;
  // GELU's input: a stride of whole groups of 8, and memory that such a group is aligned in.
  if (has_gelu_input(desc->epilogue) &&
      (desc->aux_stride % 8 != 0 || desc->aux_stride < d->rows || !is_aligned(desc->aux, 16))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  *found = 1;
  results[0] = {};
  for (int i = 0; i < 4; ++i) {
    results[0].algo.data[i] = preference->alignments[i];
  }
  results[0].algo.data[4] = has_bias(desc->epilogue) ? alignment_of(desc->bias) : 1;
  results[0].algo.data[5] = has_gelu_input(desc->epilogue) ? alignment_of(desc->aux) : 1;
  results[0].workspaceSize = preference->workspace_bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t desc,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* /*workspace*/, std::size_t /*workspace_bytes*/,
                              cudaStream_t /*stream*/) {
  const void* const operands[] = {a, b, c, d, desc->bias, desc->aux};
  for (int i = 0; i < 6; ++i) {
    if (!is_aligned(operands[i], algo->data[i])) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  // The descriptions' values of now: they may be changed before a recorded product runs.
  const double scale = *static_cast<const float*>(alpha);
  const double scale_c = *static_cast<const float*>(beta);
  cuda_on_host::enqueue(
      [=, desc = *desc, of_a = *a_layout, of_b = *b_layout, of_c = *c_layout, of_d = *d_layout] {
        const std::vector<double> as = columns_in(a, of_a, desc.transpose_a == CUBLAS_OP_T);
        const std::vector<double> bs = columns_in(b, of_b, desc.transpose_b == CUBLAS_OP_T);
        const std::int64_t depth = columns_of(of_a, desc.transpose_a);
        std::vector<double> sums(static_cast<std::size_t>(of_d.rows));
        for (std::int64_t column = 0; column < of_d.columns; ++column) {
          std::fill(sums.begin(), sums.end(), 0.0);
          for (std::int64_t k = 0; k < depth; ++k) {
            const double by = bs[static_cast<std::size_t>(column * depth + k)];
            const double* const of_k = as.data() + k * of_d.rows;
            for (std::size_t row = 0; row < sums.size(); ++row) {
              sums[row] += of_k[row] * by;
            }
          }
          for (std::int64_t row = 0; row < of_d.rows; ++row) {
            double sum = sums[static_cast<std::size_t>(row)];
            sum *= scale;
            if (scale_c != 0.0) {
              sum += scale_c * number(c, of_c.type, column * of_c.stride + row);
            }
            if (has_bias(desc.epilogue)) {
              sum += number(desc.bias, desc.bias_type, row);
            }
            if (has_gelu_input(desc.epilogue)) {
              put(desc.aux, of_d.type, column * desc.aux_stride + row, sum);
            }
            if (has_gelu(desc.epilogue)) {
              sum = gelu(sum);
            }
            put(d, of_d.type, column * of_d.stride + row, sum);
          }
        }
      });
  return CUBLAS_STATUS_SUCCESS;
}

namespace precis::cuda {

CublasLt::CublasLt()
    : get_status_string(cublasLtGetStatusString),
      create(cublasLtCreate),
      destroy(cublasLtDestroy),
      matmul_desc_create(cublasLtMatmulDescCreate),
      matmul_desc_destroy(cublasLtMatmulDescDestroy),
      matmul_desc_set_attribute(cublasLtMatmulDescSetAttribute),
      matrix_layout_create(cublasLtMatrixLayoutCreate),
      matrix_layout_destroy(cublasLtMatrixLayoutDestroy),
      matmul_preference_create(cublasLtMatmulPreferenceCreate),
      matmul_preference_destroy(cublasLtMatmulPreferenceDestroy),
      matmul_preference_set_attribute(cublasLtMatmulPreferenceSetAttribute),
      matmul_algo_get_heuristic(cublasLtMatmulAlgoGetHeuristic),
      matmul(cublasLtMatmul) {}

void CublasLt::check(cublasStatus_t status, const char* call) const {
  require(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: {} failed: {}.", call,
          get_status_string(status));
}

}  // namespace precis::cuda
