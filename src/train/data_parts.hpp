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

/// The value of exact.data_parts: as given (0: not given), else that of the run so far, else the
/// number of ranks where that is a power of two, else 1. Throws UsageError if the given one is no
/// power of two, Error if the run's is none.
[[nodiscard]] std::int64_t effective_data_parts(std::int64_t given,
                                                const std::optional<std::string>& of_the_run,
                                                int ranks);

}  // namespace precis
