// Rotary position embedding, pair by pair.
#include <cmath>
#include <vector>

#include "kernels/reference/kernels.hpp"
#include "kernels/rotary_frequency.hpp"

namespace precis::reference {

namespace {

void rotate(View x, ConstView positions, const RotaryRule& rule, Rotation direction) {
  const std::int64_t dims = rule.dims;
  const std::vector<float> frequencies = rotary_frequencies(dims, rule.base);
  const double sign = direction == Rotation::forward ? 1.0 : -1.0;
  const std::int64_t heads = x.extent(1);
  const std::int64_t head_dim = x.extent(2);
  for (std::int64_t n = 0; n < x.extent(0); ++n) {
    const auto position = static_cast<float>(positions.data<std::int32_t>()[n]);
    for (std::int64_t head = 0; head < heads; ++head) {
      float* row = x.data<float>() + (n * heads + head) * head_dim;
      for (std::int64_t i = 0; i < dims / 2; ++i) {
        const float angle = position * frequencies[static_cast<std::size_t>(i)];
        const double cosine = std::cos(static_cast<double>(angle));
        const double sine = sign * std::sin(static_cast<double>(angle));
        const double first = row[i];
        const double second = row[i + dims / 2];
        row[i] = static_cast<float>(first * cosine - second * sine);
        row[i + dims / 2] = static_cast<float>(second * cosine + first * sine);
      }
    }
  }
}

}  // namespace

void rotary(Queue&, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation direction) {
  rotate(q, positions, rule, direction);
  rotate(k, positions, rule, direction);
}

}  // namespace precis::reference
