// Summaries judged on Likert axes, in OpenAI's schema, and what they come to.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/estimate_json.hpp"
#include "io/jsonl.hpp"

namespace precis {

/// The paper's axes (Stiennon 2020, appendix C.5), each from 1 to 7.
inline constexpr std::array<const char*, 4> axis_names = {"overall", "accuracy", "coverage",
                                                          "coherence"};
inline constexpr int best_score = 7;

/// One labeler's judgement of one summary.
struct AxisRating {
  std::string policy;  ///< empty: not said
  std::string text;    ///< the summary
  /// `post_number`; where the row has no post, the summary's text stands for it, and without a text
  /// the row's place: the rating is then a post of its own.
  std::uint64_t post = 0;
  std::string worker;
  std::string split;
  std::array<std::optional<int>, axis_names.size()> scores;
};

/// Reads `{"info":{...},"summary":{"text","policy","axes":{...}},"worker","split"}`; an axis may be
/// missing or null, but not all. Throws BadRow naming the field that is wrong.
[[nodiscard]] AxisRating parse_axis_rating(const JsonRow& row);

/// One axis over a group of ratings.
struct AxisSummary {
  std::array<std::int64_t, best_score> histogram{};  ///< how often 1 to 7 was given
  std::int64_t ratings = 0;
  Mean mean;  ///< in which each rating counts the same, with its interval over posts
  Rate best;  ///< share of 7s, the same
};

/// By axis, only the axes that were rated.
using AxisSummaries = std::map<std::string, AxisSummary>;

struct AxesReport {
  std::map<std::string, AxisSummaries> by_policy;
  std::map<std::string, AxisSummaries> by_worker;
  std::int64_t repeated = 0;  ///< duplicates, equal in all of an AxisRating, left out
};
[[nodiscard]] AxesReport report_axes(std::span<const AxisRating> ratings);

[[nodiscard]] std::string to_text(const AxesReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const AxesReport& report);

}  // namespace precis
