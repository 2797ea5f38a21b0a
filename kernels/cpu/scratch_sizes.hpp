// How much memory the CPU's kernels take beside their arguments, in floats: what they take it by,
// and what is planned by (kernels/counting). Depends on the instruction set and the threads set.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/sum_tree.hpp"
#include "kernels/kernels.hpp"

namespace precis::cpu {

/// A pack of a weight (out, in).
[[nodiscard]] std::int64_t packed_size(std::int64_t out, std::int64_t in, PackFor purpose);
/// The sum of products (rows, depth) x (depth, columns) with dense rows on the left.
[[nodiscard]] std::int64_t product_scratch(std::int64_t rows, std::span<const SumTerm> terms,
                                           std::int64_t columns);
struct WeightGradientScratch {
  std::int64_t panels = 0;
  std::int64_t product = 0;
};
/// The gradient of a weight (out, in) over so many rows.
[[nodiscard]] WeightGradientScratch weight_gradient_scratch(std::int64_t rows, std::int64_t out,
                                                            std::int64_t in);
/// Attention's forward pass over sequences of these lengths.
[[nodiscard]] std::int64_t attention_scratch(std::span<const std::int64_t> lengths,
                                             std::int64_t kv_heads, std::int64_t head_dim);
/// Attention's backward pass; `longest`: of its sequences. `heads` cuts query_heads of which each
/// `group` share a key-value head.
[[nodiscard]] std::int64_t attention_backward_scratch(std::int64_t longest, std::int64_t head_dim,
                                                      std::int64_t query_heads, std::int64_t group,
                                                      SumParts heads);

}  // namespace precis::cpu
