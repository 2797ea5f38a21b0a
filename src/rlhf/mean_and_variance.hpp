// Mean and variance over a batch.
#pragma once

namespace precis {

struct MeanAndVariance {
  double mean = 0;
  double variance = 0;  ///< biased
};

/// The mean and variance of the numbers with which `for_each` calls its argument, in two passes.
template <class Visit>
[[nodiscard]] MeanAndVariance mean_and_variance(Visit&& for_each) {
  double sum = 0;
  double count = 0;
  for_each([&](double x) {
    sum += x;
    ++count;
  });
  MeanAndVariance out;
  if (count == 0) {
    return out;
  }
  out.mean = sum / count;
  double squares = 0;
  for_each([&](double x) { squares += (x - out.mean) * (x - out.mean); });
  out.variance = squares / count;
  return out;
}

}  // namespace precis
