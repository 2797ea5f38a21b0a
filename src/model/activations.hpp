// How much a stage holds of the activations of a training pass.
#pragma once

#include <cstdint>

namespace precis {

/// What a forward pass keeps of a micro-batch for its backward pass: everything; the input of each
/// block; or the input of a stage's first block only, from which those of the others are computed
/// again before anything else. The backward pass computes the rest again, with the same bits.
enum class Recompute : std::uint8_t { none, block, full };

struct Activations {
  Recompute recompute = Recompute::none;
  /// Of the ranks that share a layer (tensor parallelism) each has its rows only between the
  /// products: of the residual stream and the norms (sequence parallelism, Korthikanti et al.
  /// 2022).
  bool sequence_parallel = false;
};

}  // namespace precis
