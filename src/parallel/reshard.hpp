// Tensors on their way from one layout over ranks to another: which part goes from whom to whom.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parallel/shard.hpp"

namespace precis {

/// A box of a named tensor.
struct NamedBox {
  std::string name;
  Shard box;
};

/// What one rank of a group has, or needs.
struct RankBoxes {
  int rank = 0;
  std::vector<NamedBox> boxes;
};

/// A box of a tensor that goes from one rank to another; with `from` == `to` within a rank.
struct Move {
  std::string name;
  Shard box;
  int from = 0;
  int to = 0;
};

/// The moves by which every rank of `to` gets each element of its boxes once: from itself where it
/// is among `from` and has the element, which sends nothing; else from one of the ranks that have
/// it, of which each sends about as much as the others. Boxes of several rows are cut into moves of
/// `most` elements or a row. A pure function, in an order that every rank computes alike. Throws
/// Error naming an element that no rank has.
[[nodiscard]] std::vector<Move> plan_moves(std::span<const RankBoxes> from,
                                           std::span<const RankBoxes> to, std::int64_t most);

}  // namespace precis
