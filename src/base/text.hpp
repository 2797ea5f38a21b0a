// Small functions on text that have no better home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// The number of letters to insert, delete, replace or swap with their neighbour to turn one word
/// into the other (optimal string alignment).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The word of `words` with the smallest edit distance to `word`, the first of several; nothing
/// when there are no words. A word `section.name` is also compared by its name alone, and words
/// whose name is that of `word` come before all others.
[[nodiscard]] std::optional<std::string> nearest_word(std::string_view word,
                                                      std::span<const std::string> words);

/// The byte offset of the first sequence that is not UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or nothing.
[[nodiscard]] std::optional<std::size_t> invalid_utf8_at(std::string_view text);

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// The parts between separators, trimmed; no part for an empty text.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

[[nodiscard]] std::string joined(std::span<const std::string> parts, std::string_view separator);

/// "1,234,567".
[[nodiscard]] std::string with_thousands(std::int64_t value);

/// "1 step", "1,234 steps"; `plural` is what the noun gains.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun,
                                  std::string_view plural = "s");

/// "1.5 GiB", "12 KiB", "7 bytes".
[[nodiscard]] std::string byte_size(std::uint64_t bytes);

}  // namespace precis
