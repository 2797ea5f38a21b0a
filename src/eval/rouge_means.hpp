// ROUGE over many rows: means with their intervals.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "eval/estimate_json.hpp"
#include "eval/rouge.hpp"

namespace precis {

struct RougeScoreMeans {
  Mean precision;
  Mean recall;
  Mean f;
};

struct RougeMeans {
  std::size_t rows = 0;
  RougeScoreMeans rouge1;
  RougeScoreMeans rouge2;
  RougeScoreMeans rouge_l;
  RougeScoreMeans rouge_lsum;
};

/// `posts` are the numbers of the scores' posts. `scores` must not be empty.
[[nodiscard]] RougeMeans mean_of(std::span<const Rouge> scores,
                                 std::span<const std::uint64_t> posts, Weight weight);

/// A line each for rouge1, rouge2, rougeL and rougeLsum.
[[nodiscard]] std::string to_text(const RougeMeans& means);
/// {"rows","rouge1":{"p":{"mean","low","high"},"r","f"},...}
[[nodiscard]] nlohmann::ordered_json to_json(const RougeMeans& means);

}  // namespace precis
