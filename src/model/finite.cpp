#include "model/finite.hpp"

#include <bit>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {

std::int64_t count_not_finite(std::span<const float> values) {
  // By the bits, which vectorizes whatever the compiler may assume about NaN.
  constexpr std::uint32_t exponent = 0x7f800000U;
  std::int64_t count = 0;
  for (const float value : values) {
    count += (std::bit_cast<std::uint32_t>(value) & exponent) == exponent ? 1 : 0;
  }
  return count;
}

std::string not_finite_text(std::span<const float> values) {
  const std::int64_t count = count_not_finite(values);
  return count == 0 ? ""
                    : fmt::format("{} of its {} elements {} NaN or infinite", with_thousands(count),
                                  with_thousands(std::ssize(values)), count == 1 ? "is" : "are");
}

void require_finite(std::span<const float> values, const std::string& where,
                    std::string_view tensor) {
  const std::string found = not_finite_text(values);
  require(found.empty(),
          "{}, tensor {}: {}. A model with such weights is of no use: use an earlier checkpoint, "
          "or another copy of it.",
          where, tensor, found);
}

}  // namespace precis
