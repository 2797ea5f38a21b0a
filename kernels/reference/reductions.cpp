#include <cmath>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void sum(Queue&, View out, ConstView x, Write write) {
  double total = 0.0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    total += x.data<float>()[i];
  }
  *out.data<double>() = write == Write::accumulate ? *out.data<double>() + total : total;
}

void sum_of_squares(Queue&, View out, ConstView x, Write write) {
  double total = 0.0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double element = x.data<float>()[i];
    total += element * element;
  }
  *out.data<double>() = write == Write::accumulate ? *out.data<double>() + total : total;
}

void clip_scale(Queue&, View scale, View norm, ConstView sum_of_squares, double clip) {
  const double root = std::sqrt(*sum_of_squares.data<double>());
  *norm.data<double>() = root;
  double factor = 1.0;
  if (clip != 0.0) {
    factor = std::isnan(root) ? root : std::fmin(1.0, clip / (root + 1e-6));
  }
  *scale.data<float>() = static_cast<float>(factor);
}

}  // namespace precis::reference
