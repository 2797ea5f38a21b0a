// Sums over ranks in one fixed order, a binary tree: the same bits for every number of ranks that
// each bring a whole subtree.
#pragma once

#include "device/device.hpp"
#include "parallel/communicator.hpp"

namespace precis {

/// Each element of `values` (f32) becomes its sum over the N ranks, with the same bits on all:
/// ((0+1)+(2+3))+((4+5)+(6+7)) where N is a power of two, else in the order of the communicator's
/// own all-reduce. Each rank sends and receives 2(N-1)/N of the values (recursive halving and
/// doubling, Rabenseifner 2004).
void sum_in_tree(Device& device, Communicator& ranks, View values);

}  // namespace precis
