// CRC-32C (Castagnoli), the check of TFRecord files.
#pragma once

#include <cstdint>
#include <string_view>

namespace precis {

/// The CRC of RFC 3720, appendix B.4: polynomial 0x1EDC6F41, reflected.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

}  // namespace precis
