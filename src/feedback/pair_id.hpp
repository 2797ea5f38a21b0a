// The names of posts and of pairs of summaries: the same for every labeler who is shown them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/comparisons.hpp"

namespace precis {

/// The xxHash (XXH3, 64 bits) of subreddit, title and text. Ids do not count: rows without one are
/// known by their place in a file, and copies of a post are in several places.
[[nodiscard]] std::uint64_t post_number(const Post& post);
[[nodiscard]] std::vector<std::uint64_t> post_numbers(std::span<const SummaryRow> rows);

/// The xxHash (XXH3, 64 bits) of post and both texts, without regard to the order of the two and to
/// blanks around them.
[[nodiscard]] std::uint64_t pair_number(const Comparison& comparison);
/// The number as 16 hexadecimal digits.
[[nodiscard]] std::string pair_id(const Comparison& comparison);

}  // namespace precis
