// The parts of a sum and the binary tree in which they are joined.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.hpp"

namespace precis {

/// How many parts there are; one if nothing is said.
[[nodiscard]] inline std::int64_t part_count(SumParts parts) {
  return parts.empty() ? 1 : std::ssize(parts) - 1;
}

struct PartRange {
  std::int64_t begin;
  std::int64_t end;

  [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// Part p of an index 0 .. length.
[[nodiscard]] inline PartRange part_of(SumParts parts, std::int64_t p, std::int64_t length) {
  const auto i = static_cast<std::size_t>(p);
  return parts.empty() ? PartRange{0, length} : PartRange{parts[i], parts[i + 1]};
}

/// part(begin), ..., part(end - 1), at least one, joined in a binary tree: ((0+1)+(2+3))+... The
/// left half of a number of parts that is no power of two is the largest power of two below it.
template <class Part, class Join>
[[nodiscard]] auto in_tree(std::int64_t begin, std::int64_t end, const Part& part,
                           const Join& join) {
  if (end - begin == 1) {
    return part(begin);
  }
  const auto left = std::bit_floor(static_cast<std::uint64_t>(end - begin - 1));
  const std::int64_t middle = begin + static_cast<std::int64_t>(left);
  // The left half first, whatever the compiler does with arguments.
  const auto first = in_tree(begin, middle, part, join);
  return join(first, in_tree(middle, end, part, join));
}

/// The parts of the query heads in which the gradients of one key-value head are formed.
struct HeadParts {
  std::int64_t begin;  ///< The first of them.
  std::int64_t count;  ///< A power of two, from a multiple of it on: a subtree.
};

/// The smallest subtree of `heads` that has all heads of the group begin .. end (not empty).
[[nodiscard]] inline HeadParts parts_of_group(SumParts heads, std::int64_t begin,
                                              std::int64_t end) {
  if (heads.empty()) {
    return {0, 1};
  }
  const auto part_with = [&](std::int64_t head) {
    return std::upper_bound(heads.begin(), heads.end(), head) - heads.begin() - 1;
  };
  const auto first = static_cast<std::uint64_t>(part_with(begin));
  const auto last = static_cast<std::uint64_t>(part_with(end - 1));
  const int level = std::bit_width(first ^ last);
  return {static_cast<std::int64_t>(first >> level << level), std::int64_t{1} << level};
}

}  // namespace precis
