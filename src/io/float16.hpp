// IEEE half precision, which weight files may have, from and to f32.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace precis {

/// The exact f32 of an IEEE half (Muller et al., Handbook of Floating-Point Arithmetic, 3.1).
[[nodiscard]] inline float from_f16(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  float magnitude;
  if (exponent == 31) {
    const std::uint32_t bits = 0x7f800000U | static_cast<std::uint32_t>(fraction) << 13;
    magnitude = std::bit_cast<float>(bits);
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/// The nearest half, ties to even; infinity from 65,520 on. Not for NaN.
[[nodiscard]] inline std::uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half;
  if (std::abs(value) >= 65520.0F) {
    half = 0x7c00U;
  } else if (std::abs(value) < 0x1p-14F) {
    // Below the normal halves: a multiple of 2^-24. The product is exact, and nearbyint rounds.
    half = static_cast<std::uint32_t>(std::nearbyint(std::abs(value) * 0x1p24F));
  } else {
    constexpr std::uint32_t bias = (127U - 15U) << 23;
    half = (magnitude + 0xfffU + (magnitude >> 13 & 1U) - bias) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace precis
