// What a rank of tensor parallelism holds of a model's matrices, and the parts in which it forms
// the sums that others hold terms of.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.hpp"

namespace precis {

/// The indices [begin, end).
struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  [[nodiscard]] std::int64_t size() const { return end - begin; }
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

/// Query heads and the key-value heads that they read.
struct HeadRange {
  IndexRange query;
  IndexRange kv;

  friend bool operator==(const HeadRange&, const HeadRange&) = default;
};

/// Ranges come of halving again and again, the first half with the odd one: heads by key-value
/// heads with all their query heads, and a single key-value head by its query heads, which then
/// several ranks hold. So where the number of ranks divides `parts`, both powers of two, a rank has
/// whole subtrees of the parts; other numbers of ranks divide in proportion, with one part each.
struct TensorShare {
  HeadRange heads;
  /// Which of the consecutive ranks that hold the same single key-value head this one is, and how
  /// many they are.
  int kv_holder = 0;
  int kv_holders = 1;
  IndexRange mlp;         ///< of the MLP's width
  IndexRange vocabulary;  ///< rows of the embedding and of the output matrix

  // Bounds of the parts within this rank's range, from 0; none: one part.
  std::vector<std::int64_t> query_heads;
  std::vector<std::int64_t> kv_heads;  ///< each with the part of its first query head
  std::vector<std::int64_t> mlp_columns;
  std::vector<std::int64_t> tokens;  ///< of the vocabulary
};

/// What a rank has of an index that is no head, and the bounds of its parts, from 0; none: one
/// part.
struct IndexShare {
  IndexRange range;
  std::vector<std::int64_t> parts;
};
/// Of `count` indices, by the same halving.
[[nodiscard]] IndexShare index_share(std::int64_t count, int rank, int ranks, std::int64_t parts);

/// The share of rank `rank` of `ranks`, with sums in `parts` parts over all ranks (a power of two).
/// Throws UsageError naming the key `tp` where a rank would be left without a head, a column of the
/// MLP or a token.
[[nodiscard]] TensorShare tensor_share(const ModelConfig& config, int rank, int ranks,
                                       std::int64_t parts);

/// The same bounds in units of `size`: of columns, for heads of so many dimensions.
[[nodiscard]] std::vector<std::int64_t> scaled(const std::vector<std::int64_t>& bounds,
                                               std::int64_t size);

}  // namespace precis
