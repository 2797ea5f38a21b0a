// The rotation that `rotary` and `rotary_kv_write` share.
#pragma once

#include "kernels/kernels.hpp"

namespace precis::cpu {

void rotate(Queue& queue, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation direction);

}  // namespace precis::cpu
