#include "model/rows.hpp"

#include "base/error.hpp"
#include "parallel/owner_sum.hpp"
#include "parallel/tree_sum.hpp"

namespace precis {
namespace {

/// The bounds of the rows of a tensor in elements.
std::vector<std::int64_t> in_elements(const RowShare& share, ConstView tensor) {
  std::vector<std::int64_t> bounds = share.bounds;
  for (std::int64_t& bound : bounds) {
    bound *= tensor.extent(1);
  }
  return bounds;
}

ConstView gathered_into(Workspace& workspace, const LayerContext& c, const RowShare& share,
                        ConstView mine) {
  const View all = workspace.take({share.bounds.back(), mine.extent(1)}, mine.dtype());
  c.kernels().copy(c.queue(), share.of(c.tensor_rank(), all), mine);
  gather_from_owners(c.queue(), *c.tensor(), all.reshaped({all.numel()}), in_elements(share, all));
  return all;
}

}  // namespace

RowShare divide_rows(std::int64_t rows, int ranks) {
  RowShare share;
  for (int rank = 0; rank <= ranks; ++rank) {
    share.bounds.push_back(rows * rank / ranks);
  }
  return share;
}

ConstView gather(const LayerContext& c, ConstView x, ConstView positions) {
  if (positions.empty()) {
    return x;
  }
  View rows = c.workspace.take({positions.extent(0), x.extent(1)}, x.dtype());  // (P,C)
  c.kernels().gather_rows(c.queue(), rows, x, positions);
  return rows;
}

View spread(const LayerContext& c, View x, ConstView positions, std::int64_t rows) {
  if (positions.empty()) {
    return x;
  }
  View out = c.workspace.zeros({rows, x.extent(1)}, x.dtype());  // (N,C)
  c.kernels().scatter_add_rows(c.queue(), out, x, positions);
  return out;
}

ConstView wanted_rows(const LayerContext& c, const OutputRows& rows, ConstView x) {
  return gather(c, x, rows.among_mine());
}

void sum_over_ranks(const LayerContext& c, View values) {
  if (Communicator* const ranks = c.tensor(); ranks != nullptr) {
    sum_in_tree(c.device, *ranks, 0, ranks->size(), values, c.workspace);
  }
}

View sum_of_my_rows(const LayerContext& c, const RowShare& share, View values) {
  if (!share.is_divided()) {
    sum_over_ranks(c, values);
    return values;
  }
  sum_to_owners(c.device, *c.tensor(), values.reshaped({values.numel()}),
                in_elements(share, values), c.workspace);
  return share.of(c.tensor_rank(), values);
}

ConstView all_rows(const LayerContext& c, const RowShare& share, ConstView mine) {
  return share.is_divided() ? gathered_into(c.workspace, c, share, mine) : mine;
}

GatheredRows::GatheredRows(const LayerContext& c, const RowShare& share, ConstView mine)
    : rows_(mine) {
  if (share.is_divided()) {
    require(c.gathered != nullptr, "There is no memory for rows of other ranks.");
    scope_.emplace(*c.gathered);
    rows_ = gathered_into(*c.gathered, c, share, mine);
  }
}

}  // namespace precis
