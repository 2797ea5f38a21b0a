#include "model/backends.hpp"

namespace precis {

std::vector<const Backend*> backends_under_test() { return {&cpu::backend, &reference::backend}; }

}  // namespace precis
