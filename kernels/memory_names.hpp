// What the uses of memory are called in messages and plans.
#pragma once

#include "kernels/memory.hpp"

namespace precis {

/// "packed weights".
[[nodiscard]] const char* name_of(MemoryUse use);

}  // namespace precis
