// The id of a row of data, by which other files name it.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

#include "io/jsonl.hpp"

namespace precis {

/// The field `id` of an object as text: text as it is, a whole number digit for digit, beyond 64
/// bits as well (so 7 and "7" are one id). Nothing if it is missing, null or an empty text. Throws
/// BadRow for anything else.
[[nodiscard]] std::optional<std::string> id_in(const nlohmann::json& object,
                                               const std::string& where);

/// The row's id, else the number of its line from 0.
[[nodiscard]] std::string id_of(const JsonRow& row);

/// The id of the row that a line of another file belongs to. Throws BadRow if it has none.
[[nodiscard]] std::string required_id(const JsonRow& row);

}  // namespace precis
