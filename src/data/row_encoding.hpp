// Rows to tokens: by all threads, and each row by one of the ranks that have read the same rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "parallel/rank_group.hpp"

namespace precis {

/// The tokens of a row. What a rule for rows makes superfluous is not encoded.
struct EncodedRow {
  std::string error;             ///< why the row cannot be used (BadRow); else empty
  std::int32_t body_tokens = 0;  ///< of the post alone, where a rule asks for them
  std::vector<std::int32_t> query;
  std::array<std::vector<std::int32_t>, 2> responses;  ///< with the end token

  [[nodiscard]] std::int64_t longest_response() const {
    return static_cast<std::int64_t>(std::max(responses[0].size(), responses[1].size()));
  }
  friend bool operator==(const EncodedRow&, const EncodedRow&) = default;
};

/// The row of each i in [0, count), by `encode`, which several threads call at once. Throws what it
/// throws first, but a BadRow becomes that row's `error`.
///
/// With `ranks` collective: each encodes a part and all have every row, or all throw AgreedError.
/// `digest` is of all that `encode` depends on. Where ranks have different ones (a stale copy of a
/// file), each encodes every row itself: the comparison of inputs that follows then finds and names
/// the difference.
[[nodiscard]] std::vector<EncodedRow> encode_rows(
    std::int64_t count, const std::function<EncodedRow(std::int64_t)>& encode, RankGroup* ranks,
    std::uint64_t digest);

}  // namespace precis
