#include "device/cuda_device.hpp"

namespace precis {

CudaAnswer find_cuda() { return {nullptr, "this program was built without CUDA"}; }

}  // namespace precis
