#include "device/counting_device.hpp"

#include "kernels/counting/counting.hpp"

namespace precis {

Device counting_device(const Device& like) {
  // One pack for both products is what sets a GPU's memory apart.
  return Device(like.backend().one_pack ? counting::as_cuda : counting::as_cpu, like.precision());
}

}  // namespace precis
