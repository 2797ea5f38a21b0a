#include <algorithm>
#include <cmath>

#include "kernels/exact_sum.hpp"
#include "kernels/reference/kernels.hpp"

namespace precis::reference {

namespace {

/// Adds term(x) for each x; the terms are exact in f64.
void add_terms(View out, ConstView x, Write write, double (*term)(double)) {
  std::int64_t* const words = out.data<std::int64_t>();
  if (write == Write::overwrite) {
    std::fill_n(words, exact_sum_words, 0);
  }
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    add_exactly(words, term(static_cast<double>(x.data<float>()[i])));
    carry_exact_sum(words);
  }
}

}  // namespace

void sum(Queue&, View out, ConstView x, Write write) {
  add_terms(out, x, write, [](double element) { return element; });
}

void sum_of_squares(Queue&, View out, ConstView x, Write write) {
  add_terms(out, x, write, [](double element) { return element * element; });
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
