// GPT-2's alphabet: each byte has a printable character, so that tokens can be written as text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace precis {

/// The bytes in GPT-2's order: those with a printable character of their own (! to ~, then ¡ to ¬
/// and ® to ÿ), then the rest, which become U+0100, U+0101, ...
[[nodiscard]] std::array<unsigned char, 256> bytes_in_alphabet_order();

/// Bytes as a token is written in tokenizer.json ("Ġthe" for " the").
[[nodiscard]] std::string to_alphabet(std::string_view bytes);

/// The bytes of a token as written; nothing if it has a character outside the alphabet.
[[nodiscard]] std::optional<std::string> from_alphabet(std::string_view text);

}  // namespace precis
