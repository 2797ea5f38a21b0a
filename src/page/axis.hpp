// Axes of charts: ranges, ticks at round numbers, and where a value lies.
#pragma once

#include <string>
#include <vector>

namespace precis {

struct Range {
  double low = 0;
  double high = 0;
};

struct Tick {
  double value = 0;
  std::string text;
};

/// Ticks at multiples of 1, 2, 2.5 or 5 times a power of ten within the range, about `wanted` of
/// them and never more than twice as many.
[[nodiscard]] std::vector<Tick> linear_ticks(Range range, int wanted);

/// Ticks at powers of ten, or at 1, 2 and 5 times such where the range has few. The range must be
/// positive.
[[nodiscard]] std::vector<Tick> logarithmic_ticks(Range range, int wanted);

/// Maps the range to positions in the drawing.
class Scale {
 public:
  Scale(Range range, bool logarithmic, double from, double to);
  /// A value outside the range comes to its nearer end.
  [[nodiscard]] double operator()(double value) const;

 private:
  Range range_;
  bool logarithmic_;
  double from_;
  double to_;
};

/// A range that holds [low, high] with a margin; it begins at zero where the values come near it
/// from above, and has a width where they are all equal.
[[nodiscard]] Range comfortable(Range values, bool logarithmic);

}  // namespace precis
