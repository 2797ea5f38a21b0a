// Objects of JSON that other commands wrote, as tables of a report.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/estimates.hpp"

namespace precis {

/// Objects with their names.
using NamedEntries = std::vector<std::pair<std::string, nlohmann::json>>;

/// Objects by name, whether they are written as an object of objects or as a list of objects with
/// the field `name_field`; at most 200.
[[nodiscard]] NamedEntries entries_of(const nlohmann::json& value, const char* name_field);

/// An estimate with its interval, in the forms that commands write.
[[nodiscard]] std::optional<Rate> estimate_in(const nlohmann::json& value);

/// An estimate whose interval is in fields beside it: accuracy, accuracy_low, accuracy_high.
[[nodiscard]] std::optional<Rate> bounded_in(const nlohmann::json& object,
                                             const std::string& field);

/// "0.813 (0.785 to 0.838)"; with significant digits where three decimals would say too little.
[[nodiscard]] std::string rate_text(const Rate& rate);

/// The name of a field as people read it.
[[nodiscard]] std::string readable(std::string name);

/// One row per entry, with all its numbers and texts; empty where there are none.
[[nodiscard]] std::string rows_table(const NamedEntries& entries, const std::string& caption);

/// One column per entry: for few entries with many fields.
[[nodiscard]] std::string columns_table(const NamedEntries& entries);

}  // namespace precis
