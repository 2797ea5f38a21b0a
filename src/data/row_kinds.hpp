// The kinds of rows that readers know, for the message about a row of none.
#pragma once

#include <nlohmann/json.hpp>

#include <span>
#include <string>

namespace precis {

/// An example of each kind: comparisons; posts and articles with their summary; posts and articles
/// without, and prompts; the same with a response.
[[nodiscard]] std::span<const char* const> comparison_kinds();
[[nodiscard]] std::span<const char* const> summary_kinds();
[[nodiscard]] std::span<const char* const> prompt_kinds();
[[nodiscard]] std::span<const char* const> response_kinds();

/// "WHERE: the row has the fields `a`, `b`; expected a row of one of these kinds:" and one line per
/// kind.
[[nodiscard]] std::string unknown_kind(const nlohmann::json& row, const std::string& where,
                                       std::span<const char* const> kinds);

}  // namespace precis
