#include "data/byte_alphabet.hpp"

namespace precis {
namespace {

bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// The code point of each byte, all below U+0144.
std::array<char32_t, 256> make_code_points() {
  std::array<char32_t, 256> points{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    points[static_cast<std::size_t>(byte)] =
        stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return points;
}

const std::array<char32_t, 256>& code_points() {
  static const auto points = make_code_points();
  return points;
}

}  // namespace

std::array<unsigned char, 256> bytes_in_alphabet_order() {
  std::array<unsigned char, 256> order{};
  std::size_t count = 0;
  for (const bool own : {true, false}) {
    for (int byte = 0; byte < 256; ++byte) {
      if (stands_for_itself(byte) == own) {
        order[count++] = static_cast<unsigned char>(byte);
      }
    }
  }
  return order;
}

std::string to_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const char32_t point = code_points()[static_cast<unsigned char>(byte)];
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else {
      text += static_cast<char>(0xC0 | (point >> 6));
      text += static_cast<char>(0x80 | (point & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> from_alphabet(std::string_view text) {
  static const auto bytes = [] {
    std::array<int, 0x144> inverse{};
    inverse.fill(-1);
    for (int byte = 0; byte < 256; ++byte) {
      inverse[code_points()[static_cast<std::size_t>(byte)]] = byte;
    }
    return inverse;
  }();
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto point = static_cast<std::size_t>(static_cast<unsigned char>(text[i]));
    if (point >= 0x80) {
      if (point < 0xC2 || point > 0xC5 || i + 1 == text.size()) {
        return std::nullopt;
      }
      point = (point & 0x1F) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F);
    }
    if (point >= bytes.size() || bytes[point] < 0) {
      return std::nullopt;
    }
    result += static_cast<char>(bytes[point]);
  }
  return result;
}

}  // namespace precis
