// The page on which people compare summaries: one HTML file that needs no server and no network.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "feedback/pair_list.hpp"

namespace precis {

/// What to do with a summary without text, which would look like a broken page to a labeler.
enum class EmptySummaries { refuse, show };

struct LabelPageOptions {
  std::uint64_t seed = 1;
  bool axes = false;       ///< also rate each summary: overall, accuracy, coverage, coherence
  std::int64_t first = 1;  ///< the first pair of the page, from 1
  std::int64_t limit = 0;  ///< at most so many pairs; 0: all
  std::string title = "Compare summaries";
  std::string instructions = {};  ///< text with **bold** parts; empty: the page's own
  EmptySummaries empty_summaries = EmptySummaries::refuse;
};

/// The value of `format` in each line that a page downloads.
inline constexpr std::string_view answer_format = "precis answer 2";
/// That of pages of the former version, whose lines have neither `downloaded` nor `cannot_judge`.
inline constexpr std::string_view former_answer_format = "precis answer 1";

/// Why a pair could not be judged, as `cannot_judge` in such a line has it.
inline constexpr std::array<std::string_view, 4> cannot_judge_reasons = {"unclear", "knowledge",
                                                                         "upsetting", "other"};

/// What the page holds: `page` (its digest, under which the browser keeps the answers), `pairs`
/// (the list's digest), `first`, `axes`, texts, and of each pair `pair` (its id), `left` (which of
/// the row's summaries is shown first, by seed and id) and the texts in the order shown. Neither
/// policies nor earlier choices are in it. Throws UsageError if `first` is behind the last pair,
/// Error for a summary without text that is not to be shown.
[[nodiscard]] nlohmann::ordered_json label_page_data(const PairList& list,
                                                     const LabelPageOptions& options);

/// The page itself. Text of the data is in a block of JSON in which every `<` is escaped, and is
/// only ever shown as text; by its content security policy no other script than its own can run,
/// and nothing can be loaded.
[[nodiscard]] std::string label_page(const nlohmann::ordered_json& data);

}  // namespace precis
