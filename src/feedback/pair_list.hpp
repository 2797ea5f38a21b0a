// The pairs of a file of comparisons, each once: what people are asked about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/comparisons.hpp"

namespace precis {

struct ListedPair {
  nlohmann::json row;     ///< `comparison_row` of the one in the file
  Comparison comparison;  ///< `choice` is ignored
  std::string id;         ///< `pair_id`
};

struct PairList {
  std::string file;
  std::vector<ListedPair> pairs;  ///< in the order of their first row
  std::int64_t repeated = 0;      ///< rows whose pair an earlier row has
  std::int64_t identical = 0;     ///< rows whose two texts are the same; they are left out
  /// 16 hexadecimal digits: of the pairs in their order, and of the order of each pair's texts.
  std::string digest;

  /// The place of a pair in `pairs`.
  [[nodiscard]] std::optional<std::size_t> place(const std::string& id) const;

  std::unordered_map<std::string, std::size_t> places;
};

/// Reads comparisons; the field `choice` may be missing. Throws Error with file and line for a row
/// that cannot be read, and for a file without a pair.
[[nodiscard]] PairList read_pair_list(const std::string& file);

}  // namespace precis
