// cuBLASLt is found and has what products use. That needs its library, but no GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/cuda/cublaslt.hpp"

namespace precis::cuda {
namespace {

TEST(CublasLt, IsLoaded) {
  const CublasLt lt;
  EXPECT_STRNE(lt.get_status_string(CUBLAS_STATUS_NOT_SUPPORTED), "");
  try {
    lt.check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmul");
    FAIL() << "a call that failed was passed over";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("cuBLASLt: cublasLtMatmul failed: "));
  }
}

}  // namespace
}  // namespace precis::cuda
