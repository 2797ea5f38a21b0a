#include "page/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "page/number.hpp"

namespace precis {
namespace {

/// The decimals that multiples of `step` need.
int decimals_of(double step) {
  int decimals = 0;
  for (double scaled = step; decimals < 9 && std::abs(scaled - std::round(scaled)) > 1e-6 * scaled;
       scaled *= 10) {
    ++decimals;
  }
  return decimals;
}

std::string tick_text(double value, double step, double largest) {
  if (value == 0) {
    return "0";
  }
  if (step < 1e-4 || largest >= 1e13) {
    return number_text(value);
  }
  // All ticks of an axis in one unit.
  for (const auto& [unit, suffix] : {std::pair{1e9, "G"}, {1e6, "M"}, {1e3, "k"}}) {
    if (largest >= 10 * unit || (largest >= unit && unit > 1e3)) {
      return fmt::format("{:.{}f}{}", value / unit, decimals_of(step / unit), suffix);
    }
  }
  return fmt::format("{:.{}f}", value, decimals_of(step));
}

}  // namespace

std::vector<Tick> linear_ticks(Range range, int wanted) {
  const double width = range.high - range.low;
  if (!(width > 0) || !std::isfinite(width) || wanted < 1) {
    return {};
  }
  const double power = std::pow(10, std::floor(std::log10(width / wanted)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.5, 2.0, 1.0}) {
    if (width / (factor * power) <= wanted * 1.2) {
      step = factor * power;
    }
  }
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  std::vector<Tick> ticks;
  const double slack = 1e-9 * width;
  for (double index = std::ceil((range.low - slack) / step); index * step <= range.high + slack;
       ++index) {
    const double value = index * step;
    ticks.push_back({value, tick_text(value, step, largest)});
    if (ticks.size() > 2 * static_cast<std::size_t>(wanted)) {
      break;  // a range so far from zero that steps vanish in rounding
    }
  }
  return ticks;
}

std::vector<Tick> logarithmic_ticks(Range range, int wanted) {
  const int first = static_cast<int>(std::floor(std::log10(range.low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(range.high) - 1e-9));
  const int every = std::max(1, (last - first) / std::max(1, wanted));
  const bool few = last - first <= 2;
  std::vector<Tick> ticks;
  for (int exponent = first; exponent <= last; exponent += every) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10, exponent);
      if ((factor == 1 || few) && value >= range.low * (1 - 1e-9) &&
          value <= range.high * (1 + 1e-9)) {
        ticks.push_back({value, number_text(value)});
      }
    }
  }
  return ticks;
}

Scale::Scale(Range range, bool logarithmic, double from, double to)
    : range_(range), logarithmic_(logarithmic), from_(from), to_(to) {
  if (logarithmic_) {
    range_ = {std::log10(range.low), std::log10(range.high)};
  }
}

double Scale::operator()(double value) const {
  const double at = logarithmic_ ? std::log10(value) : value;
  // Halves, because the width of the widest ranges is not finite.
  const double share = (at / 2 - range_.low / 2) / (range_.high / 2 - range_.low / 2);
  return from_ + (to_ - from_) * std::clamp(share, 0.0, 1.0);
}

Range comfortable(Range values, bool logarithmic) {
  if (logarithmic) {
    return values.high > values.low * 1.0001 ? Range{values.low / 1.1, values.high * 1.1}
                                             : Range{values.low / 2, values.high * 2};
  }
  const double width = values.high - values.low;
  const double size = std::max(std::abs(values.low), std::abs(values.high));
  if (!(width > 1e-9 * size)) {
    const double half = size > 0 ? size / 2 : 1;
    return {values.low >= 0 ? std::max(0.0, values.low - half) : values.low - half,
            values.high + half};
  }
  const bool from_zero = values.low >= 0 && values.low < 0.35 * values.high;
  return {from_zero ? 0 : values.low - 0.05 * width, values.high + 0.05 * width};
}

}  // namespace precis
