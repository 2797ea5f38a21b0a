#include "kernels/harness.hpp"

namespace precis::test {

const Backend& backend_under_test() { return cpu::backend; }

}  // namespace precis::test
