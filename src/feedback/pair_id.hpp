// The name of a pair of summaries: the same for every labeler who is shown it, in either order.
#pragma once

#include <cstdint>
#include <string>

#include "data/comparisons.hpp"

namespace precis {

/// The xxHash (XXH3, 64 bits) of post and both texts, without regard to the order of the two and to
/// blanks around them.
[[nodiscard]] std::uint64_t pair_number(const Comparison& comparison);
/// The number as 16 hexadecimal digits.
[[nodiscard]] std::string pair_id(const Comparison& comparison);

}  // namespace precis
