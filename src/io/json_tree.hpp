// JSON text into a tree, in which long ids keep their digits.
#pragma once

#include <nlohmann/json.hpp>

#include <string_view>

namespace precis {

/// As `nlohmann::json::parse`, but a whole number of the key `id` that 64 bits cannot hold is text,
/// its digits: the library would make it a rounded floating-point number. Throws
/// std::invalid_argument with the library's message; of a number out of range (here beyond 308
/// digits) too.
[[nodiscard]] nlohmann::json json_tree(std::string_view text);

}  // namespace precis
