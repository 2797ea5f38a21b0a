// Comparisons as rows of OpenAI's schema.
#pragma once

#include <nlohmann/json.hpp>

#include "data/comparisons.hpp"

namespace precis {

/// A pair that nobody has judged: info, summaries, batch, split. What is empty of a summary's
/// policy and note is null, an empty `info.id` is left out.
[[nodiscard]] nlohmann::ordered_json pair_json(const Comparison& pair);

/// A judged pair: info, summaries, choice, worker, batch, split, and extra.confidence where there
/// is one.
[[nodiscard]] nlohmann::ordered_json comparison_json(const Comparison& comparison);

}  // namespace precis
