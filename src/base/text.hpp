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

/// The byte offset of the first sequence that is not UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or nothing.
[[nodiscard]] std::optional<std::size_t> invalid_utf8_at(std::string_view text);

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// The parts between separators, trimmed; no part for an empty text.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

[[nodiscard]] std::string joined(std::span<const std::string> parts, std::string_view separator);

/// "ann, bob and cal"; of more than `most`, the first and how many more: "ann, bob and 12 more".
[[nodiscard]] std::string listed(std::span<const std::string> parts, std::size_t most = 8);

/// "1,234,567".
[[nodiscard]] std::string with_thousands(std::int64_t value);

/// "1 step", "1,234 steps"; `plural` is what the noun gains.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun,
                                  std::string_view plural = "s");

/// "1.5 GiB", "12 KiB", "7 bytes".
[[nodiscard]] std::string byte_size(std::uint64_t bytes);

}  // namespace precis
