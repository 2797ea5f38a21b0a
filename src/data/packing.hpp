// Packed batches: sequences end to end without padding, split into micro-batches by a token budget.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace precis {

/// B sequences with N tokens in all.
struct PackedBatch {
  std::vector<std::int32_t> tokens;         // (N)
  std::vector<std::int32_t> offsets = {0};  // (B+1): sequence b is [offsets[b], offsets[b+1])
  std::vector<std::int32_t> positions;      // (N): 0, 1, ... within each sequence
  /// (P), rising: the rows at which the model's output is read, where alone it is computed unless
  /// something else needs it; nothing: at all rows.
  std::optional<std::vector<std::int32_t>> read;

  [[nodiscard]] std::int64_t sequences() const {
    return static_cast<std::int64_t>(offsets.size()) - 1;
  }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }

  /// The row of each sequence's last token.
  [[nodiscard]] std::vector<std::int32_t> last_rows() const;

  /// Adds the sequence `first` followed by `second` (a query and its response).
  void append(std::span<const std::int32_t> first, std::span<const std::int32_t> second = {});
};

/// The items [begin, end) of a list.
struct MicroBatch {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(const MicroBatch&, const MicroBatch&) = default;

  /// These items of the whole list.
  template <class T>
  [[nodiscard]] std::span<const T> of(std::span<const T> list) const {
    return list.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }
};

/// Splits sequences of these lengths, in their order, into micro-batches of at most `token_budget`
/// tokens: each takes as many of the next sequences as fit, and at least one (a sequence longer
/// than the budget is alone). Throws UsageError unless the budget is positive.
[[nodiscard]] std::vector<MicroBatch> split_micro_batches(std::span<const std::int64_t> lengths,
                                                          std::int64_t token_budget);

}  // namespace precis
