// The gold labeler's scores of a comparison.
#pragma once

#include <array>
#include <optional>

#include "data/comparisons.hpp"
#include "synthetic/gold_labeler.hpp"

namespace precis {

/// Gold scores of both summaries of a comparison; nothing if the post is not of the embedded data
/// set. A summary whose note is "length" did not end.
[[nodiscard]] std::optional<std::array<GoldScore, 2>> gold_scores(const Comparison& comparison);

}  // namespace precis
