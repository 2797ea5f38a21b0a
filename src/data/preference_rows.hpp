// Comparisons as most preference data has them: a prompt with a chosen and a rejected text.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace precis {

/// Whether the row has `chosen` or `rejected` and is not of OpenAI's schema.
[[nodiscard]] bool is_preference(const nlohmann::json& row);

/// The row {"prompt", "chosen", "rejected"} in OpenAI's schema: `info` has `prompt` and the row's
/// `id`, the chosen text is the first summary. Its other fields stay. Throws BadRow for a field
/// that is missing or not text, and for conversations.
[[nodiscard]] nlohmann::json preference_as_comparison(nlohmann::json row, const std::string& where);

}  // namespace precis
