// Linked into a test program, this skips all its tests where there is no GPU. CTest then reports
// the program as skipped.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

namespace {

class NeedsGpu : public testing::Environment {
 public:
  void SetUp() override {
    int count = 0;
    if (const cudaError_t result = cudaGetDeviceCount(&count); result != cudaSuccess) {
      GTEST_SKIP() << "no GPU can be used here: " << cudaGetErrorString(result);
    }
    if (count == 0) {
      GTEST_SKIP() << "no GPU can be used here: the driver knows none";
    }
  }
};

// GoogleTest owns it.
[[maybe_unused]] const auto* const environment = testing::AddGlobalTestEnvironment(new NeedsGpu);

}  // namespace
