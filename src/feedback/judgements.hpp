// What people answered on a page of `precis label export`: read, checked, and joined with the
// pairs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "feedback/pair_list.hpp"

namespace precis {

/// The axes of OpenAI's axis evaluations, in its order.
inline constexpr std::array<const char*, 4> axis_names = {"overall", "accuracy", "coverage",
                                                          "coherence"};
/// One rating an axis, 1 (worst) to 7 (best).
using AxisRatings = std::array<int, axis_names.size()>;

/// A labeler's answer to a pair, in the order of the row's own summaries. One that says that the
/// pair cannot be judged has a reason, and neither choice nor confidence nor axes.
struct Answer {
  std::size_t place = 0;  ///< in the list of pairs
  std::string worker;
  int choice = 0;      ///< the better summary
  int confidence = 0;  ///< 1 "surely the first" to 9 "surely the second"
  std::optional<std::array<AxisRatings, 2>> axes;
  std::string cannot_judge;  ///< one of cannot_judge_reasons; empty: the pair was judged
  std::string note;
  double seconds = 0;      ///< for which the pair was on the screen
  std::string downloaded;  ///< "2026-11-29T20:01:02.345Z"; empty: of the former version's page
  std::string where;       ///< FILE:LINE
};

/// What one labeler answered.
struct LabelerAnswers {
  std::string worker;
  std::int64_t answered = 0;  ///< pairs that were judged
  std::int64_t unable = 0;    ///< pairs that cannot be judged
  std::int64_t repeated = 0;  ///< lines that repeat an answer that counts
  /// Lines of an earlier download that differ from the answer that counts.
  std::int64_t replaced = 0;
  std::vector<std::size_t> missing;  ///< places of pairs on the labeler's pages without an answer
  double median_seconds = 0;
};

struct Answers {
  std::vector<Answer> answers;           ///< judgements in the order of pairs, then of files
  std::vector<Answer> unjudged;          ///< those that say why there is none, in the same order
  std::vector<LabelerAnswers> labelers;  ///< in the order of their first line
};

/// Reads files that pages of `list` have downloaded. Lines that are marked as incomplete count as
/// missing. Of several answers of one labeler to a pair, as of a page that was downloaded again,
/// the one that was downloaded last counts. A line of the former version's page, which has no time,
/// is earlier than any with one. Throws Error naming file and line for another kind of file,
/// answers of a page that was made from other pairs, unknown pairs, different answers of which
/// neither is later, values out of range; and if there is no answer at all.
[[nodiscard]] Answers read_answers(const std::vector<std::string>& files, const PairList& list);

/// The pair's row with the answer: `choice`, `worker`, `extra.confidence`, `extra.note` (if there
/// is one) and `extra.seconds`. Its other fields stay.
[[nodiscard]] nlohmann::ordered_json comparison_json(const ListedPair& pair, const Answer& answer);

/// The pair's row without a choice: `worker`, `cannot_judge` (the reason), and in `extra` the note
/// and the seconds. The answer must be one of `Answers::unjudged`.
[[nodiscard]] nlohmann::ordered_json unjudged_json(const ListedPair& pair, const Answer& answer);

/// The ratings of one of the row's summaries (0 or 1) in the schema of OpenAI's axis evaluations.
/// The answer must have axes.
[[nodiscard]] nlohmann::ordered_json axis_json(const ListedPair& pair, const Answer& answer,
                                               std::size_t summary);

}  // namespace precis
