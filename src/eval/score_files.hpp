// Files of `precis score` beside the rows that they were made for.
#pragma once

#include <string>
#include <vector>

namespace precis {

/// A line that `precis score`, or another command, wrote for a row.
struct ScoredLine {
  std::string where;  ///< "FILE:LINE", for messages
  std::string id;
  double value = 0;
};

/// The number in `field` ("logprob" of a language model, "reward" of a reward model) of each line.
/// Throws Error with file and line where it is missing or not a number.
[[nodiscard]] std::vector<ScoredLine> read_scores(const std::string& path, const char* field);

/// Throws Error unless `scores` has the ids of `lines`, line by line. `path` and `scores_path` are
/// for the message.
void require_same_lines(const std::string& path, const std::vector<ScoredLine>& lines,
                        const std::string& scores_path, const std::vector<ScoredLine>& scores);

/// The rewards that `precis score --model RM --input SAMPLES` wrote, in the layout of
/// `read_samples`: one list per row, by rising index. `ids` are those of the rows. Throws Error
/// where the files do not belong together.
[[nodiscard]] std::vector<std::vector<double>> read_sample_rewards(
    const std::string& samples, const std::string& rewards, const std::vector<std::string>& ids);

/// The rewards that `precis score --model RM --input ROWS` wrote for the rows' own summaries.
[[nodiscard]] std::vector<double> read_row_rewards(const std::string& rows,
                                                   const std::string& rewards,
                                                   const std::vector<std::string>& ids);

}  // namespace precis
