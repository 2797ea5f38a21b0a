// Attention's backward pass, by its formula.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

void add(std::vector<double>& sums, std::int64_t place, double factor, const float* x,
         std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    sums[static_cast<std::size_t>(place + i)] += factor * static_cast<double>(x[i]);
  }
}

void store(View to, const std::vector<double>& sums) {
  std::transform(sums.begin(), sums.end(), to.data<float>(),
                 [](double sum) { return static_cast<float>(sum); });
}

}  // namespace

void attention_backward(Queue&, View dq, View dk, View dv, ConstView dout, ConstView out,
                        ConstView log_sum_exp, ConstView q, ConstView k, ConstView v,
                        ConstView offsets, double scale, SumParts /*heads*/) {
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = k.extent(1);
  std::vector<double> dq_sums(static_cast<std::size_t>(q.numel()));
  std::vector<double> dk_sums(static_cast<std::size_t>(k.numel()));
  std::vector<double> dv_sums(static_cast<std::size_t>(v.numel()));
  const auto* starts = offsets.data<std::int32_t>();
  for (std::int64_t b = 0; b + 1 < offsets.numel(); ++b) {
    for (std::int64_t i = starts[b]; i < starts[b + 1]; ++i) {
      for (std::int64_t head = 0; head < heads; ++head) {
        const std::int64_t row = (i * heads + head) * head_dim;
        const float* qi = q.data<float>() + row;
        const float* douti = dout.data<float>() + row;
        const double delta = dot(douti, out.data<float>() + row, head_dim);
        for (std::int64_t j = starts[b]; j <= i; ++j) {
          const std::int64_t kv_row = (j * kv_heads + head / (heads / kv_heads)) * head_dim;
          const float* kj = k.data<float>() + kv_row;
          const double p =
              std::exp(scale * dot(qi, kj, head_dim) -
                       static_cast<double>(log_sum_exp.data<float>()[i * heads + head]));
          const double dp = dot(douti, v.data<float>() + kv_row, head_dim);
          const double ds = scale * p * (dp - delta);
          add(dq_sums, row, ds, kj, head_dim);
          add(dk_sums, kv_row, ds, qi, head_dim);
          add(dv_sums, kv_row, p, douti, head_dim);
        }
      }
    }
  }
  store(dq, dq_sums);
  store(dk, dk_sums);
  store(dv, dv_sums);
}

}  // namespace precis::reference
