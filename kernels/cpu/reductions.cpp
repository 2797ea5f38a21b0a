#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reductions.cpp"  // NOLINT
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include <cmath>
#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

double sum_of_chunk(const float* x, std::int64_t n) {
  WideSum sum;
  for_each_vector(x, n, 0.0F, [&](FloatVector v) HWY_ATTR { sum.add(v); });
  return sum.total();
}

double squares_of_chunk(const float* x, std::int64_t n) {
  WideSum sum;
  for_each_vector(x, n, 0.0F, [&](FloatVector v) HWY_ATTR { sum.add_square(v); });
  return sum.total();
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {

HWY_EXPORT(sum_of_chunk);
HWY_EXPORT(squares_of_chunk);

namespace {

/// Adds up chunks of one size in their order, so that the result does not depend on the threads.
void reduce(View out, ConstView x, Write write, double (*chunk_sum)(const float*, std::int64_t)) {
  constexpr std::int64_t chunk = 1 << 14;
  const std::int64_t n = x.numel();
  std::vector<double> partial(static_cast<std::size_t>((n + chunk - 1) / chunk));
  const auto chunks = static_cast<std::int64_t>(partial.size());
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (std::int64_t i = 0; i < chunks; ++i) {
    partial[static_cast<std::size_t>(i)] =
        chunk_sum(x.data<float>() + i * chunk, std::min(chunk, n - i * chunk));
  }
  double total = 0.0;
  for (const double part : partial) {
    total += part;
  }
  double& result = *out.data<double>();
  result = write == Write::accumulate ? result + total : total;
}

}  // namespace

void sum(Queue&, View out, ConstView x, Write write) {
  reduce(out, x, write, &HWY_DYNAMIC_DISPATCH(sum_of_chunk));
}

void sum_of_squares(Queue&, View out, ConstView x, Write write) {
  reduce(out, x, write, &HWY_DYNAMIC_DISPATCH(squares_of_chunk));
}

void clip_scale(Queue&, View scale, View norm, ConstView sum_of_squares, double clip) {
  const double root = std::sqrt(*sum_of_squares.data<double>());
  *norm.data<double>() = root;
  const double factor = clip / (root + 1e-6);
  // Written so that a norm that is not a number gives a factor that is not one.
  *scale.data<float>() = clip == 0.0 || factor >= 1.0 ? 1.0F : static_cast<float>(factor);
}

}  // namespace precis::cpu
#endif
