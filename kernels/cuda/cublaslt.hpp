// cuBLASLt, loaded when the first product asks for it: a program that was built with CUDA starts
// and computes on the CPU where CUDA's libraries are not, and does not read 500 MB for nothing.
#pragma once

#include <cublasLt.h>

namespace precis::cuda {

/// The library and the functions that products use, by their names without `cublasLt`.
class CublasLt {
 public:
  /// Throws Error, saying what to do, if the library of the version that the program was compiled
  /// with is not found.
  CublasLt();

  /// Throws Error with the call's name and cuBLASLt's own message unless `status` is success.
  void check(cublasStatus_t status, const char* call) const;

  decltype(cublasLtGetStatusString)* get_status_string;
  decltype(cublasLtCreate)* create;
  decltype(cublasLtDestroy)* destroy;
  decltype(cublasLtMatmulDescCreate)* matmul_desc_create;
  decltype(cublasLtMatmulDescDestroy)* matmul_desc_destroy;
  decltype(cublasLtMatmulDescSetAttribute)* matmul_desc_set_attribute;
  decltype(cublasLtMatrixLayoutCreate)* matrix_layout_create;
  decltype(cublasLtMatrixLayoutDestroy)* matrix_layout_destroy;
  decltype(cublasLtMatmulPreferenceCreate)* matmul_preference_create;
  decltype(cublasLtMatmulPreferenceDestroy)* matmul_preference_destroy;
  decltype(cublasLtMatmulPreferenceSetAttribute)* matmul_preference_set_attribute;
  decltype(cublasLtMatmulAlgoGetHeuristic)* matmul_algo_get_heuristic;
  decltype(cublasLtMatmul)* matmul;
};

}  // namespace precis::cuda
