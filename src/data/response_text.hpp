// The text of generated ids, for people and for JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/tokenizer.hpp"

namespace precis {

/// The ids as UTF-8: bytes that are not become U+FFFD. An id that the tokenizer does not have (an
/// embedding may have more rows than its tokenizer has tokens) is no text.
[[nodiscard]] std::string response_text(const Tokenizer& tokenizer,
                                        std::span<const std::int32_t> ids);

}  // namespace precis
