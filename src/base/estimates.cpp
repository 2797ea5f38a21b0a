#include "base/estimates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace precis {

Rate wilson_interval(double successes, std::int64_t trials) {
  assert(trials > 0);
  constexpr double z = normal_975;
  const auto n = static_cast<double>(trials);
  const double p = successes / n;
  const double scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {.rate = p, .low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

Mean mean_interval(std::span<const double> values) {
  assert(!values.empty());
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const double mean = sum / n;
  if (values.size() == 1) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    return {.mean = mean, .low = unknown, .high = unknown};
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  const double half = normal_975 * std::sqrt(squares / (n - 1) / n);
  return {.mean = mean, .low = mean - half, .high = mean + half};
}

std::string to_text(const Rate& rate, int digits) {
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", rate.rate, digits, rate.low, digits, rate.high,
                     digits);
}

std::string to_text(const Mean& mean, int digits) {
  if (std::isnan(mean.low)) {
    return fmt::format("{:.{}f}", mean.mean, digits);
  }
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", mean.mean, digits, mean.low, digits, mean.high,
                     digits);
}

}  // namespace precis
