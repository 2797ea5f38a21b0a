// Elements that are not finite, with which a model is of no use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace precis {

/// How many of the elements are NaN or infinite.
[[nodiscard]] std::int64_t count_not_finite(std::span<const float> values);

/// "3 of its 4,096 elements are NaN or infinite"; empty: all are finite.
[[nodiscard]] std::string not_finite_text(std::span<const float> values);

/// Throws Error naming the source and the tensor, and how many of how many, unless all elements are
/// finite.
void require_finite(std::span<const float> values, const std::string& where,
                    std::string_view tensor);

}  // namespace precis
