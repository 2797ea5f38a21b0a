// Sums over ranks in one fixed order, a binary tree: the same bits for every number of ranks that
// each bring a whole subtree.
#pragma once

#include "device/workspace.hpp"
#include "parallel/communicator.hpp"

namespace precis {

/// Each element of `values` (f32) becomes its sum over the N ranks, with the same bits on all and
/// wherever in `values` it is: ((0+1)+(2+3))+((4+5)+(6+7)) where N is a power of two; else the
/// ranks beyond one first add theirs to the first ones'. Each of a power of two sends and receives
/// 2(N-1)/N of the values (recursive halving and doubling, Rabenseifner 2004).
void sum_in_tree(Device& device, Communicator& ranks, View values);
/// The same over `count` consecutive ranks from `first` on, of which this is one, with memory from
/// a workspace: for what is summed again and again.
void sum_in_tree(Device& device, Communicator& ranks, int first, int count, View values,
                 Workspace& workspace);

}  // namespace precis
