#include "parallel/reshard.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.hpp"

namespace precis {
namespace {

/// A box that some ranks have.
struct Held {
  Shard box;
  std::vector<int> ranks;
};

/// The different boxes of each tensor, in the order in which they are first met.
std::map<std::string, std::vector<Held>> held_boxes(std::span<const RankBoxes> from) {
  std::map<std::string, std::vector<Held>> all;
  for (const RankBoxes& rank : from) {
    for (const auto& [name, box] : rank.boxes) {
      std::vector<Held>& of_tensor = all[name];
      const auto same = std::ranges::find_if(of_tensor, [&](const Held& held) {
        return held.box.offset == box.offset && held.box.extent == box.extent;
      });
      if (same == of_tensor.end()) {
        of_tensor.push_back({box, {rank.rank}});
      } else {
        same->ranks.push_back(rank.rank);
      }
    }
  }
  return all;
}

/// What is left of `box` without `hole`, which lies in it: at most two boxes an axis.
void add_rest(const Shard& box, const Shard& hole, std::vector<Shard>& rest) {
  Shard inner = box;
  for (std::size_t axis = 0; axis < box.extent.size(); ++axis) {
    const std::int64_t end = inner.offset[axis] + inner.extent[axis];
    const std::int64_t hole_end = hole.offset[axis] + hole.extent[axis];
    if (hole.offset[axis] > inner.offset[axis]) {
      Shard before = inner;
      before.extent[axis] = hole.offset[axis] - inner.offset[axis];
      rest.push_back(std::move(before));
    }
    if (hole_end < end) {
      Shard behind = inner;
      behind.offset[axis] = hole_end;
      behind.extent[axis] = end - hole_end;
      rest.push_back(std::move(behind));
    }
    inner.offset[axis] = hole.offset[axis];
    inner.extent[axis] = hole.extent[axis];
  }
}

/// visit(piece) for what `box` has of the `wanted` boxes, which then have it no longer.
template <class Visit>
void take_out(std::vector<Shard>& wanted, const Shard& box, const Visit& visit) {
  std::vector<Shard> rest;
  for (const Shard& piece : wanted) {
    if (const auto common = intersect(piece, box)) {
      visit(*common);
      add_rest(piece, *common, rest);
    } else {
      rest.push_back(piece);
    }
  }
  wanted = std::move(rest);
}

/// visit(box) for pieces of whole rows, of `most` elements or one row.
template <class Visit>
void for_each_piece(const Shard& box, std::int64_t most, const Visit& visit) {
  if (box.numel() <= most || box.extent.empty() || box.extent[0] == 1) {
    visit(box);
    return;
  }
  const std::int64_t row = box.numel() / box.extent[0];
  const std::int64_t rows = std::max<std::int64_t>(1, most / row);
  for (std::int64_t first = 0; first < box.extent[0]; first += rows) {
    Shard piece = box;
    piece.offset[0] += first;
    piece.extent[0] = std::min(rows, box.extent[0] - first);
    visit(piece);
  }
}

}  // namespace

std::vector<Move> plan_moves(std::span<const RankBoxes> from, std::span<const RankBoxes> to,
                             std::int64_t most) {
  const auto held = held_boxes(from);
  std::map<int, std::int64_t> sent;  // elements, by rank
  std::vector<Move> moves;
  for (const RankBoxes& receiver : to) {
    for (const auto& [name, needed] : receiver.boxes) {
      std::vector<Shard> wanted;
      if (!needed.empty()) {
        wanted.push_back(needed);
      }
      const auto found = held.find(name);
      const std::vector<Held> none;
      const std::vector<Held>& sources = found == held.end() ? none : found->second;
      for (const Held& source : sources) {
        if (std::ranges::find(source.ranks, receiver.rank) != source.ranks.end()) {
          take_out(wanted, source.box, [&](const Shard& box) {
            for_each_piece(box, most, [&](const Shard& piece) {
              moves.push_back({name, piece, receiver.rank, receiver.rank});
            });
          });
        }
      }
      for (const Held& source : sources) {
        take_out(wanted, source.box, [&](const Shard& box) {
          for_each_piece(box, most, [&](const Shard& piece) {
            const int giver = *std::ranges::min_element(
                source.ranks, {}, [&](int rank) { return std::pair(sent[rank], rank); });
            sent[giver] += piece.numel();
            moves.push_back({name, piece, giver, receiver.rank});
          });
        });
      }
      require(wanted.empty(), "{}: rank {} needs {}, which no rank has.", name, receiver.rank,
              wanted.empty() ? "" : to_string(wanted.front()));
    }
  }
  return moves;
}

}  // namespace precis
