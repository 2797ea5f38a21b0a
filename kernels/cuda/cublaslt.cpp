#include "kernels/cuda/cublaslt.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.hpp"

namespace precis::cuda {
namespace {

template <class Function>
void find(void* library, Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  require(function != nullptr, "cuBLASLt has no function {}: {}.", name, dlerror());
}

}  // namespace

CublasLt::CublasLt() {
  const std::string name = fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
  // Never closed: CUDA's libraries cannot be unloaded safely.
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr,
          "CUDA's library for products could not be loaded ({}). Put the folder that holds {} into "
          "LD_LIBRARY_PATH, or compute with --device cpu.",
          dlerror(), name);
  find(library, get_status_string, "cublasLtGetStatusString");
  find(library, create, "cublasLtCreate");
  find(library, destroy, "cublasLtDestroy");
  find(library, matmul_desc_create, "cublasLtMatmulDescCreate");
  find(library, matmul_desc_destroy, "cublasLtMatmulDescDestroy");
  find(library, matmul_desc_set_attribute, "cublasLtMatmulDescSetAttribute");
  find(library, matrix_layout_create, "cublasLtMatrixLayoutCreate");
  find(library, matrix_layout_destroy, "cublasLtMatrixLayoutDestroy");
  find(library, matmul_preference_create, "cublasLtMatmulPreferenceCreate");
  find(library, matmul_preference_destroy, "cublasLtMatmulPreferenceDestroy");
  find(library, matmul_preference_set_attribute, "cublasLtMatmulPreferenceSetAttribute");
  find(library, matmul_algo_get_heuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(library, matmul, "cublasLtMatmul");
}

void CublasLt::check(cublasStatus_t status, const char* call) const {
  require(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: {} failed: {}.", call,
          get_status_string(status));
}

}  // namespace precis::cuda
