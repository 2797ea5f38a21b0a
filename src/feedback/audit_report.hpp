// An audit of labelers as text for people and as JSON for programs.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "feedback/audit.hpp"

namespace precis {

/// The matrix is shown for up to this many judges; the JSON has every one.
inline constexpr std::size_t most_shown_judges = 12;

/// Tables with 95% intervals, then what to look at, in sentences.
[[nodiscard]] std::string to_text(const JudgedPairs& pairs, const Audit& audit);

[[nodiscard]] nlohmann::ordered_json to_json(const JudgedPairs& pairs, const Audit& audit);

/// Whether the labeler is worse than chance (the estimated accuracy's interval ends below 1/2), has
/// judged too little (it is wider than a quarter, `too_wide_to_tell`), or cannot be told from
/// chance (it begins below 0.55). Empty for others and without an estimate.
[[nodiscard]] std::string verdict_on(const LabelerAudit& labeler);

}  // namespace precis
