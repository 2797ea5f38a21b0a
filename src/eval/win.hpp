// Which of two policies writes the better summaries, by the gold labeler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/win_count.hpp"
#include "feedback/samples.hpp"

namespace precis {

/// Means over the samples of one side, in which each post counts the same.
struct GoldMeans {
  double gold = 0;
  double coverage = 0;
  double accuracy = 0;
  double coherent = 0;   ///< share
  double length_ok = 0;  ///< share within the bounds of length
  double ended = 0;      ///< share with the end token
  double words = 0;
  double states_question = 0;  ///< share
  double any_wrong = 0;        ///< share with a wrong fact
};
/// `posts` are the numbers of the scores' posts.
[[nodiscard]] GoldMeans mean_of(const std::vector<GoldScore>& scores,
                                const std::vector<std::uint64_t>& posts);

/// One comparison: sample `index` of a row on both sides.
struct WinRow {
  std::size_t row = 0;
  std::int64_t index = 0;
  SampledSummary a;
  SampledSummary b;
  GoldScore gold_a;
  GoldScore gold_b;
};

struct WinResult : WinCount {
  GoldMeans a;
  GoldMeans b;
  std::vector<WinRow> rows;
};

/// The rows' own summaries as samples: `count` times each, ended.
[[nodiscard]] std::vector<std::vector<SampledSummary>> reference_samples(
    const std::vector<GoldRow>& rows, std::size_t count);

/// Compares sample by sample; each post counts the same. Both sides must have the same number of
/// samples for each row: throws Error otherwise.
[[nodiscard]] WinResult compare(const std::vector<GoldRow>& rows,
                                const std::vector<std::vector<SampledSummary>>& a,
                                const std::vector<std::vector<SampledSummary>>& b,
                                const SideNames& names = {});

}  // namespace precis
