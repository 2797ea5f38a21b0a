// Exact sums over the ranks of a group.
#pragma once

#include <span>

#include "kernels/exact_sum.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// Collective: each sum becomes the sum of all ranks' terms, with the same bits on every rank and
/// for every way to divide the terms among them.
void all_reduce(RankGroup& ranks, std::span<ExactSum> sums);

}  // namespace precis
