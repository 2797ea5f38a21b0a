// A device that takes memory as another one would, in numbers only.
#pragma once

#include "device/device.hpp"

namespace precis {

/// Whatever computes on it takes the memory that it would take on `like`, with the same precision
/// and the threads that are set now, and its `memory()` counts it; nothing is computed and nothing
/// is too large. What is read from it is not written: results in host memory keep what they held.
[[nodiscard]] Device counting_device(const Device& like);

}  // namespace precis
