// The parts of a step's rows whose gradients are formed apart and added in a tree: so a gradient
// has the same bits on any number of ranks that divides them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace precis {

inline constexpr std::int64_t most_data_parts = 1024;

/// The parts of a step, and those that one of the ranks of data parallelism has: [first, last).
struct DataParts {
  std::int64_t parts = 1;
  std::int64_t first = 0;
  std::int64_t last = 1;

  /// How many this rank has, a power of two.
  [[nodiscard]] std::int64_t mine() const { return last - first; }
  /// The rows [begin, end) of this rank's part `index`, from 0, of a step with so many rows: ranges
  /// that come of halving again and again, of which the first half has the odd row.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rows_of(std::int64_t index,
                                                              std::int64_t rows) const;
  /// All of this rank's rows.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> my_rows(std::int64_t rows) const;
};

/// The parts of a launch: `exact_parts`, if the ranks divide them; else (also 0) one part a rank.
[[nodiscard]] DataParts data_parts(std::int64_t exact_parts, int rank, int ranks);

/// exact.data_parts of a new run: the ranks of data parallelism where that is a power of two, else
/// 1.
[[nodiscard]] std::int64_t default_data_parts(int ranks);

inline constexpr std::int64_t most_tensor_parts = 64;
/// exact.tensor_parts of a new run: 8, or more if so many ranks share a layer.
[[nodiscard]] std::int64_t default_tensor_parts(int ranks);

/// exact.tensor_parts of a command that begins no run: as given, or (0) for so many ranks. Throws
/// UsageError unless it is a power of two.
[[nodiscard]] std::int64_t tensor_parts_of(std::int64_t given, int ranks);

/// The value of an `exact.` key: as given (0: not given), else that of the run so far, else
/// `otherwise`. Throws UsageError if the given one is no power of two, Error if the run's is none
/// or above `most`.
[[nodiscard]] std::int64_t effective_parts(const std::string& key, std::int64_t given,
                                           const std::optional<std::string>& of_the_run,
                                           std::int64_t otherwise, std::int64_t most);

}  // namespace precis
