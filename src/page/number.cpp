#include "page/number.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"

namespace precis {
namespace {

/// printf's exponents without their zeros: "2.8e-06" becomes "2.8e-6".
std::string plain_exponent(std::string text) {
  const auto e = text.find('e');
  if (e == std::string::npos) {
    return text;
  }
  std::size_t digits = e + 1;
  if (text[digits] == '+') {
    text.erase(digits, 1);
  } else if (text[digits] == '-') {
    ++digits;
  }
  while (digits + 1 < text.size() && text[digits] == '0') {
    text.erase(digits, 1);
  }
  return text;
}

}  // namespace

std::string number_text(double value) {
  if (!std::isfinite(value)) {
    return "none";
  }
  const double size = std::abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-3)) {
    return plain_exponent(fmt::format("{:.3g}", value));
  }
  if (size >= 1e9) {
    return fmt::format("{:.4g}G", value / 1e9);
  }
  if (size >= 1e6) {
    return fmt::format("{:.4g}M", value / 1e6);
  }
  if (size >= 1000) {
    return with_thousands(std::llround(value));
  }
  return fmt::format("{:.4g}", value);
}

std::string percent_text(double share) {
  return std::isfinite(share) ? fmt::format("{:.1f}%", 100 * share) : "none";
}

}  // namespace precis
