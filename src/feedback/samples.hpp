// Posts with the samples that policies wrote for them, and gold's reading of the embedded data set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tldr.hpp"
#include "synthetic/gold_labeler.hpp"
#include "synthetic/grammar.hpp"

namespace precis {

/// Reads TL;DR or CNN/DM rows; their own summaries are required only if `with_summary`. Throws
/// Error with file and line for a row that cannot be read or an id that is there twice, and for a
/// file without rows.
[[nodiscard]] std::vector<SummaryRow> read_summary_rows(const std::string& path, bool with_summary);

/// As `precis sample` writes them.
[[nodiscard]] std::vector<std::string> ids_of(const std::vector<SummaryRow>& rows);

/// A TL;DR row whose post the gold labeler has read.
struct GoldRow {
  std::string id;  ///< The row's, else its line number from 0 as text, as `precis sample` has it.
  SummaryRow row;
  Facts facts;
};

/// Reads TL;DR rows of the embedded data set. Throws Error with file and line for a row that cannot
/// be read, an id that is there twice, or a post that is not of the embedded grammar; and for a
/// file without rows.
[[nodiscard]] std::vector<GoldRow> read_gold_rows(const std::string& path);

/// A line of `precis sample`.
struct SampledSummary {
  std::string response;  ///< Without the end token.
  bool ended = false;    ///< `finish` is "eos".
  std::int64_t index = 0;
};

/// Reads a file of `precis sample` and gives the samples of each row, by rising index, the same
/// number for each. Throws Error naming what is wrong: ids that no row has, rows without samples,
/// an index twice, or rows with different numbers of samples.
[[nodiscard]] std::vector<std::vector<SampledSummary>> read_samples(
    const std::string& path, const std::vector<GoldRow>& rows);
/// The same for rows of any data set: their ids, and their file for messages.
[[nodiscard]] std::vector<std::vector<SampledSummary>> read_samples(
    const std::string& path, const std::vector<std::string>& ids, const std::string& rows_file);

[[nodiscard]] GoldScore gold_score(const GoldRow& row, const SampledSummary& sample);

}  // namespace precis
