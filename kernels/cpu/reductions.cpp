#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/cpu/kernels.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::cpu {
namespace {

using AddTerms = void (ExactSum::*)(std::span<const float>);

/// Sums are exact, so that neither the threads nor the chunks matter.
void reduce(View out, ConstView x, Write write, AddTerms add_terms) {
  constexpr std::int64_t chunk = 1 << 16;
  const std::span<std::int64_t> words(out.data<std::int64_t>(), exact_sum_words);
  ExactSum total = write == Write::accumulate ? ExactSum(words) : ExactSum();
  const std::int64_t n = x.numel();
#pragma omp parallel if (n > chunk)
  {
    ExactSum part;
#pragma omp for schedule(static) nowait
    for (std::int64_t begin = 0; begin < n; begin += chunk) {
      (part.*add_terms)({x.data<float>() + begin, x.data<float>() + std::min(begin + chunk, n)});
    }
#pragma omp critical(precis_exact_sum)
    total.merge(part);
  }
  std::copy(total.words().begin(), total.words().end(), words.begin());
}

}  // namespace

void sum(Queue&, View out, ConstView x, Write write) { reduce(out, x, write, &ExactSum::add); }

void sum_of_squares(Queue&, View out, ConstView x, Write write) {
  reduce(out, x, write, &ExactSum::add_squares);
}

void clip_scale(Queue&, View scale, View norm, ConstView sum_of_squares, double clip) {
  const double root = std::sqrt(*sum_of_squares.data<double>());
  *norm.data<double>() = root;
  const double factor = clip / (root + 1e-6);
  // Written so that a norm that is not a number gives a factor that is not one.
  *scale.data<float>() = clip == 0.0 || factor >= 1.0 ? 1.0F : static_cast<float>(factor);
}

}  // namespace precis::cpu
