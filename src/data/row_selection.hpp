// From the rows of files to those that a training uses: encoded together, and kept by a filter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/row_encoding.hpp"
#include "data/row_filter.hpp"
#include "parallel/collectively.hpp"

namespace precis {

/// What encoding asks of a row.
struct RowTexts {
  const Post* post = nullptr;
  std::vector<std::string> responses;  ///< as they are trained on
  std::string where;
};

/// Encodes the rows of [0, count), and calls `keep` in their order for those that the filter keeps
/// by their tokens. With `ranks` collective, as `encode_rows`.
void encode_and_keep(const RowFilter& filter, RowCounts& counts, std::int64_t count,
                     const std::function<RowTexts(std::int64_t)>& texts_of,
                     const std::function<void(std::int64_t, EncodedRow&&)>& keep, RankGroup* ranks);

/// Rows that their texts have not dropped, on the way to those that are used.
template <class Row>
class RowSelection {
 public:
  using TextsOf = std::function<RowTexts(const Row&)>;
  using Keep = std::function<void(Row&&, EncodedRow&&)>;

  /// `filter` and `counts` must outlive it; `keep` is given the rows that are used, in their order.
  RowSelection(const RowFilter& filter, RowCounts& counts, TextsOf texts_of, Keep keep)
      : filter_(filter), counts_(counts), texts_of_(std::move(texts_of)), keep_(std::move(keep)) {}

  /// With data.limit, which is for few rows of large files, rows are encoded as they come, so that
  /// few are held.
  void add(Row&& row) {
    rows_.push_back(std::move(row));
    if (is_limited() && rows_.size() == 1024) {
      take(nullptr);
    }
  }
  /// After the last row. With `ranks` collective: without data.limit each encodes a part.
  void finish(RankGroup* ranks) {
    if (is_limited()) {
      collectively(ranks, [&] { take(nullptr); });
    } else {
      take(ranks);
    }
  }

 private:
  [[nodiscard]] bool is_limited() const { return filter_.options().limit > 0; }
  void take(RankGroup* ranks) {
    const auto row = [&](std::int64_t i) -> Row& { return rows_[static_cast<std::size_t>(i)]; };
    encode_and_keep(
        filter_, counts_, std::ssize(rows_), [&](std::int64_t i) { return texts_of_(row(i)); },
        [&](std::int64_t i, EncodedRow&& encoded) { keep_(std::move(row(i)), std::move(encoded)); },
        ranks);
    rows_.clear();
  }

  const RowFilter& filter_;
  RowCounts& counts_;
  TextsOf texts_of_;
  Keep keep_;
  std::vector<Row> rows_;
};

}  // namespace precis
