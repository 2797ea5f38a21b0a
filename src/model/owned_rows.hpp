// Which rows of a model's tensors one of its copies owns: there are their moments and the sums of
// their gradients (ZeRO-1, Rajbhandari et al. 2020).
#pragma once

#include <cstdint>
#include <vector>

#include "model/parameters.hpp"

namespace precis {

/// Neighbouring tensors whose gradients are summed together: those from `first` to the next
/// bucket's.
struct Bucket {
  int first = 0;
  /// Rank r of data parallelism owns [bounds[r], bounds[r + 1]) of Parameters::flat(); whole rows.
  std::vector<std::int64_t> bounds;
};

/// The tensors of parameters in buckets, each divided evenly among the ranks, to a row: of a
/// sixteenth of the model or of 4 Mi elements, with whole tensors.
[[nodiscard]] std::vector<Bucket> buckets_of(const std::vector<ParameterSpec>& specs, int ranks);

/// The boxes that a rank owns of those that it, as all copies, holds: in their order, none empty.
[[nodiscard]] std::vector<ParameterSpec> owned_specs(const std::vector<ParameterSpec>& specs,
                                                     int rank, int ranks);

}  // namespace precis
