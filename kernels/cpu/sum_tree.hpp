// The order in which a product's inner index is summed: parts, each one chain of multiply-adds
// through all terms, and a binary tree over the parts.
//
// A block of the result is visited once or more. In a visit the sums stay in registers, with the
// lower levels of the tree beside them, and meet so much of the inner index as stays in the caches.
// Between visits sums wait in slots. So a part longer than a visit is a chain that goes on, and a
// subtree that is short enough is one visit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "kernels/kernels.hpp"

namespace precis::cpu {

/// Values of the inner index in a visit: a block of the left factor and a panel of the right one
/// stay in the second-level cache.
inline constexpr std::int64_t depth_block = 1024;

/// The inner index of one of the products that are summed.
struct SumTerm {
  std::int64_t depth = 0;
  SumParts bounds = {};

  [[nodiscard]] std::int64_t parts() const {
    return bounds.empty() ? 1 : static_cast<std::int64_t>(bounds.size()) - 1;
  }
  /// Where part p begins; for p = parts() the depth.
  [[nodiscard]] std::int64_t bound(std::int64_t p) const {
    return p == 0 ? 0 : p == parts() ? depth : bounds[static_cast<std::size_t>(p)];
  }
};

/// Consecutive values of a term's inner index, all of one part.
struct Stretch {
  std::size_t term;
  std::int64_t begin;
  std::int64_t depth;
  bool ends_part;
};

/// What happens to a block of the result in one go: its sum starts from 0 or, if it `continues`,
/// from slot `slot`; it goes through the stretches, whose parts that end are added in the tree;
/// then slots slot - 1, slot - 2, .. of a number of `adds` are added, and the sum is the result, if
/// `last`, or left in slot `to`.
struct Visit {
  std::span<const Stretch> stretches;
  std::int64_t place = 0;  ///< Values of the inner index in the visits before.
  bool continues = false;
  std::int64_t slot = 0;
  std::int64_t adds = 0;
  bool last = false;
  std::int64_t to = 0;
};

class SumTree {
 public:
  static constexpr std::int64_t most_stretches = 64;
  /// Of the tree inside a visit.
  static constexpr std::int64_t most_levels = std::bit_width(std::uint64_t{most_stretches}) - 1;

  /// Terms with equal numbers of parts, a power of two.
  explicit SumTree(std::span<const SumTerm> terms) : terms_(terms) {
    for (const SumTerm& term : terms) {
      depth_ += term.depth;
    }
    if (!is_one_visit(depth_, parts())) {
      for_each_visit(
          [&](const Visit& visit) { slots_ = std::max(slots_, visit.last ? 0 : visit.to + 1); });
    }
  }

  [[nodiscard]] std::span<const SumTerm> terms() const { return terms_; }
  [[nodiscard]] std::int64_t parts() const { return terms_.front().parts(); }
  /// Values of the inner index, of all terms.
  [[nodiscard]] std::int64_t depth() const { return depth_; }
  /// Sums that wait between visits.
  [[nodiscard]] std::int64_t slots() const { return slots_; }
  /// Values of the inner index before `part` of `term`, in the order of the visits.
  [[nodiscard]] std::int64_t place(std::size_t term, std::int64_t part) const {
    std::int64_t before = 0;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      before += terms_[t].bound(t < term ? part + 1 : part);
    }
    return before;
  }

  /// Calls on_visit(Visit) in order.
  template <class OnVisit>
  void for_each_visit(const OnVisit& on_visit) const {
    std::int64_t place = 0;
    walk(on_visit, place, {.first = 0, .count = parts(), .slot = 0, .adds = 0, .to = result});
  }

 private:
  static constexpr std::int64_t result = -1;

  /// A subtree: parts [first, first + count). Slots from `slot` on are free.
  struct Node {
    std::int64_t first, count;
    std::int64_t slot, adds, to;
  };

  /// A subtree of so many values of the inner index and parts.
  [[nodiscard]] bool is_one_visit(std::int64_t depth, std::int64_t parts) const {
    return depth <= depth_block && parts * std::ssize(terms_) <= most_stretches;
  }
  [[nodiscard]] std::int64_t depth_of(const Node& node) const {
    std::int64_t depth = 0;
    for (const SumTerm& term : terms_) {
      depth += term.bound(node.first + node.count) - term.bound(node.first);
    }
    return depth;
  }

  template <class OnVisit>
  void walk(const OnVisit& on_visit, std::int64_t& place, const Node& node) const {
    const std::int64_t half = node.count / 2;
    if (half == 0 || is_one_visit(depth_of(node), node.count)) {
      visit_all(on_visit, place, node);
      return;
    }
    walk(on_visit, place,
         {.first = node.first, .count = half, .slot = node.slot, .adds = 0, .to = node.slot});
    walk(on_visit, place,
         {.first = node.first + half,
          .count = half,
          .slot = node.slot + 1,
          .adds = node.adds + 1,
          .to = node.to});
  }

  /// A subtree in one visit, or one part in as many as it needs.
  template <class OnVisit>
  void visit_all(const OnVisit& on_visit, std::int64_t& place, const Node& node) const {
    // Not filled beforehand: a small product would notice.
    std::array<Stretch, most_stretches> stretches;
    std::size_t count = 0;
    std::int64_t depth = 0;
    bool continues = false;
    const auto visit = [&](bool last) {
      on_visit(Visit{.stretches = std::span(stretches).first(count),
                     .place = place,
                     .continues = continues,
                     .slot = node.slot,
                     .adds = last ? node.adds : 0,
                     .last = last && node.to == result,
                     .to = last ? node.to : node.slot});
      place += depth;
      count = 0;
      depth = 0;
      continues = true;
    };
    for (std::int64_t part = node.first; part < node.first + node.count; ++part) {
      bool is_empty = true;
      for (std::size_t term = 0; term < terms_.size(); ++term) {
        const std::int64_t end = terms_[term].bound(part + 1);
        for (std::int64_t k = terms_[term].bound(part); k < end;) {
          if (depth == depth_block || count == stretches.size()) {
            visit(false);
          }
          const std::int64_t taken = std::min(end - k, depth_block - depth);
          stretches[count++] = {.term = term, .begin = k, .depth = taken, .ends_part = false};
          depth += taken;
          k += taken;
          is_empty = false;
        }
      }
      if (is_empty) {
        stretches[count++] = {.term = 0, .begin = 0, .depth = 0, .ends_part = true};
      }
      stretches[count - 1].ends_part = true;
    }
    visit(true);
  }

  std::span<const SumTerm> terms_;
  std::int64_t depth_ = 0;
  std::int64_t slots_ = 0;
};

}  // namespace precis::cpu
