// Backends that compute nothing and only count the memory that another one would allocate: the code
// that allocates is run on them to say beforehand what it will need.
#pragma once

#include "kernels/backend.hpp"

namespace precis::counting {

/// What is written is gone: results that the host reads keep what they held. Nothing is too large.
/// As the CPU backend on this machine, with the threads that OpenMP is set to.
extern const Backend as_cpu;
/// As the CUDA backend, but for scratch memory of less than a few MiB.
extern const Backend as_cuda;

}  // namespace precis::counting
