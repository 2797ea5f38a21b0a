// The tables of `evaluate table` and `evaluate best-of-n` in a report.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace precis {

/// The lines that the terminal shows, in its order and its words, and folded below them the other
/// numbers of the file; empty if it has no policies.
[[nodiscard]] std::string policies_html(const nlohmann::json& table);

/// One line per n, as in the terminal, and the curves over n; empty if it has none.
[[nodiscard]] std::string best_of_n_html(const nlohmann::json& table);

/// "temperature 0.7", of the samples behind the table; empty if the file does not say it.
[[nodiscard]] std::string temperature_text(const nlohmann::json& table);

}  // namespace precis
