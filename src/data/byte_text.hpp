// Bytes that may not be UTF-8, for JSON.
#pragma once

#include <string>
#include <string_view>

namespace precis {

/// The bytes as UTF-8: each maximal part of an incomplete character, and each other byte that does
/// not belong, becomes U+FFFD (Unicode Standard, section 3.9).
[[nodiscard]] std::string replace_invalid_utf8(std::string_view bytes);

/// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace precis
