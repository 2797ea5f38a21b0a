// The frequencies of rotary position embeddings, as Hugging Face's models round them.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace precis {

/// base^(-2i/dims) in f32 for i < dims/2. Exponent, power and reciprocal are each rounded to f32,
/// and an angle is the f32 product of position and frequency: at position 8192 the rounding of an
/// angle is 5e-4, so weights trained with these roundings need the same ones.
[[nodiscard]] inline std::vector<float> rotary_frequencies(std::int64_t dims, double base) {
  std::vector<float> frequencies(static_cast<std::size_t>(dims / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    const auto base_f32 = static_cast<double>(static_cast<float>(base));
    frequencies[i] = 1.0F / static_cast<float>(std::pow(base_f32, static_cast<double>(exponent)));
  }
  return frequencies;
}

}  // namespace precis
