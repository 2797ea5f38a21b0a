// The CPU backend on a device with little memory.
#pragma once

#include <cstdint>

#include "device/device.hpp"

namespace precis::test {

[[nodiscard]] Device limited_device(std::int64_t bytes);

}  // namespace precis::test
