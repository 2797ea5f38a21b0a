// The rows of a batch between a layer's products: which are wanted, and which ranks have them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/layer_context.hpp"

namespace precis {

/// Which rows each of the ranks that share a layer has between its products (sequence parallelism).
/// Without bounds all have all. In shapes, N and P count all rows of a batch and those at which the
/// output is wanted; n and p those of them that this rank has.
struct RowShare {
  std::vector<std::int64_t> bounds;  ///< rank r has the rows [bounds[r], bounds[r + 1])

  [[nodiscard]] bool is_divided() const { return !bounds.empty(); }
  /// How many of `all` rows a rank has.
  [[nodiscard]] std::int64_t count(int rank, std::int64_t all) const {
    const auto r = static_cast<std::size_t>(rank);
    return is_divided() ? bounds[r + 1] - bounds[r] : all;
  }
  /// The rows that a rank has of a whole tensor.
  template <class Byte>
  [[nodiscard]] BasicView<Byte> of(int rank, const BasicView<Byte>& whole) const {
    const auto r = static_cast<std::size_t>(rank);
    return is_divided() ? whole.rows(bounds[r], bounds[r + 1]) : whole;
  }
};
/// So many rows, divided evenly.
[[nodiscard]] RowShare divide_rows(std::int64_t rows, int ranks);

/// The rows of a batch at which a layer's output is wanted.
struct OutputRows {
  ConstView positions = {};  ///< (P) i32, rising; empty: all
  RowShare share = {};       ///< of these
  ConstView mine = {};       ///< (p) i32, where they are divided: among the rows that this rank has

  /// Where this rank's are among its rows of the batch; empty: all.
  [[nodiscard]] ConstView among_mine() const { return share.is_divided() ? mine : positions; }
};

/// Rows `positions` (P) of x (N,C), taken from the workspace; x itself if there are no positions.
[[nodiscard]] ConstView gather(const LayerContext& context, ConstView x, ConstView positions);
/// (N,C) with the rows of x (P,C) at `positions` (P) and zeros elsewhere, taken from the workspace;
/// x itself if there are no positions.
[[nodiscard]] View spread(const LayerContext& context, View x, ConstView positions,
                          std::int64_t rows);
/// Of the rows x (n,C) that this rank has those that are wanted.
[[nodiscard]] ConstView wanted_rows(const LayerContext& context, const OutputRows& rows,
                                    ConstView x);

/// The sum of what the ranks that share the layer have, in place, in the tree of their parts.
void sum_over_ranks(const LayerContext& context, View values);
/// The same where each needs its rows only: returns them, a view of `values`, of which the other
/// rows are of no use.
[[nodiscard]] View sum_of_my_rows(const LayerContext& context, const RowShare& share, View values);
/// All rows (N,C) from those that each rank has (n,C), taken from the workspace; `mine` itself
/// where they are not divided.
[[nodiscard]] ConstView all_rows(const LayerContext& context, const RowShare& share,
                                 ConstView mine);

/// The same for as long as this lives, in memory that all layers share. One lives at a time.
class GatheredRows {
 public:
  GatheredRows(const LayerContext& context, const RowShare& share, ConstView mine);
  [[nodiscard]] ConstView view() const { return rows_; }

 private:
  std::optional<WorkspaceScope> scope_;
  ConstView rows_;
};

}  // namespace precis
