#include "kernels/cuda/kernels.hpp"
#include "kernels/harness.hpp"

namespace precis::test {

const Backend& backend_under_test() { return cuda::backend; }

}  // namespace precis::test
