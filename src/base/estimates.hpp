// Rates and means with their 95% intervals.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace precis {

/// The normal distribution's 97.5% point.
inline constexpr double normal_975 = 1.959963984540054;

/// A rate with its 95% interval.
struct Rate {
  double rate = 0;
  double low = 0;
  double high = 0;
};

/// Wilson's score interval (Wilson 1927) for `successes` of `trials`; halves (ties) may be counted
/// in. `trials` must be positive.
[[nodiscard]] Rate wilson_interval(double successes, std::int64_t trials);

/// A mean with its 95% interval.
struct Mean {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// The mean of independent values, plus and minus 1.96 standard errors (unbiased variance). One
/// value has no interval: its bounds are NaN, which JSON has as null. `values` must not be empty.
[[nodiscard]] Mean mean_interval(std::span<const double> values);

/// "0.637 (0.594-0.678)"
[[nodiscard]] std::string to_text(const Rate& rate, int digits = 3);
/// "4.2 (4.0 to 4.4)", as bounds may be negative; without bounds "4.2".
[[nodiscard]] std::string to_text(const Mean& mean, int digits = 3);

}  // namespace precis
