// Layer norm and RMS norm. A row is treated in one order of lanes, whatever the batch; RMS norm is
// layer norm with a mean of zero.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/norms.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "kernels/cpu/partial-inl.hpp"

#ifndef PRECIS_KERNELS_CPU_NORMS_TYPES
#define PRECIS_KERNELS_CPU_NORMS_TYPES
namespace precis::cpu {
namespace {

/// Rows of width C; `mean` and `bias` are null where there are none.
struct NormForwardRows {
  float* out;
  float* mean;
  float* rstd;
  const float* x;
  const float* weight;
  const float* bias;
  std::int64_t width;
  float epsilon;
};

struct NormBackwardRows {
  float* dx;
  const float* dout;
  const float* x;
  const float* weight;
  const float* mean;
  const float* rstd;
  std::int64_t width;
};

}  // namespace
}  // namespace precis::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

using Tag = hn::ScalableTag<float>;
using Lane = hn::Vec<Tag>;

/// The sum of term(i, count), a vector of the `count` numbers from i on, over a row of n.
template <class Term>
HWY_INLINE float sum_over(std::size_t n, const Term& term) {
  const Tag d;
  const std::size_t lanes = hn::Lanes(d);
  Lane s0 = hn::Zero(d);
  Lane s1 = s0;
  Lane s2 = s0;
  Lane s3 = s0;
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = hn::Add(s0, term(i, lanes));
    s1 = hn::Add(s1, term(i + lanes, lanes));
    s2 = hn::Add(s2, term(i + 2 * lanes, lanes));
    s3 = hn::Add(s3, term(i + 3 * lanes, lanes));
  }
  for (; i < n; i += lanes) {
    s0 = hn::Add(s0, term(i, std::min(lanes, n - i)));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

void forward_rows(const NormForwardRows& rows, std::int64_t begin, std::int64_t end) {
  const Tag d;
  const auto n = static_cast<std::size_t>(rows.width);
  const float inverse_width = 1.0F / static_cast<float>(rows.width);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = rows.x + row * rows.width;
    float* out = rows.out + row * rows.width;
    float mean = 0.0F;
    if (rows.mean != nullptr) {
      mean = inverse_width * sum_over(n, [&](std::size_t i, std::size_t count)
                                             HWY_ATTR { return load_part(d, x + i, count); });
      rows.mean[row] = mean;
    }
    const Lane mean_lanes = hn::Set(d, mean);
    const float variance =
        inverse_width * sum_over(n, [&](std::size_t i, std::size_t count) HWY_ATTR {
          const Lane difference = hn::Sub(load_part(d, x + i, count), mean_lanes);
          return keep_part(d, hn::Mul(difference, difference), count);
        });
    const float rstd = 1.0F / std::sqrt(variance + rows.epsilon);
    rows.rstd[row] = rstd;
    const Lane rstd_lanes = hn::Set(d, rstd);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
      const std::size_t count = std::min(hn::Lanes(d), n - i);
      const Lane normal = hn::Mul(hn::Sub(load_part(d, x + i, count), mean_lanes), rstd_lanes);
      const Lane weight = load_part(d, rows.weight + i, count);
      const Lane bias = rows.bias != nullptr ? load_part(d, rows.bias + i, count) : hn::Zero(d);
      store_part(hn::MulAdd(normal, weight, bias), d, out + i, count);
    }
  }
}

/// dx of rows [begin, end); adds their part of dweight and, unless null, dbias.
void backward_rows(const NormBackwardRows& rows, std::int64_t begin, std::int64_t end,
                   float* dweight, float* dbias) {
  const Tag d;
  const auto n = static_cast<std::size_t>(rows.width);
  const float inverse_width = 1.0F / static_cast<float>(rows.width);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = rows.x + row * rows.width;
    const float* dout = rows.dout + row * rows.width;
    float* dx = rows.dx + row * rows.width;
    const Lane mean = hn::Set(d, rows.mean != nullptr ? rows.mean[row] : 0.0F);
    const Lane rstd = hn::Set(d, rows.rstd[row]);
    const auto dnormal = [&](std::size_t i, std::size_t count) HWY_ATTR {
      return hn::Mul(load_part(d, dout + i, count), load_part(d, rows.weight + i, count));
    };
    const auto normal = [&](std::size_t i, std::size_t count) HWY_ATTR {
      return hn::Mul(hn::Sub(load_part(d, x + i, count), mean), rstd);
    };
    const float dnormal_mean = rows.mean != nullptr ? inverse_width * sum_over(n, dnormal) : 0.0F;
    const float projection =
        inverse_width * sum_over(n, [&](std::size_t i, std::size_t count) HWY_ATTR {
          return hn::Mul(dnormal(i, count), normal(i, count));
        });
    const Lane dnormal_mean_lanes = hn::Set(d, dnormal_mean);
    const Lane projection_lanes = hn::Set(d, projection);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
      const std::size_t count = std::min(hn::Lanes(d), n - i);
      const Lane gradient = load_part(d, dout + i, count);
      const Lane normal_i = normal(i, count);
      const Lane centred =
          hn::NegMulAdd(normal_i, projection_lanes, hn::Sub(dnormal(i, count), dnormal_mean_lanes));
      store_part(hn::MulAdd(centred, rstd, load_part(d, dx + i, count)), d, dx + i, count);
      store_part(hn::MulAdd(gradient, normal_i, load_part(d, dweight + i, count)), d, dweight + i,
                 count);
      if (dbias != nullptr) {
        store_part(hn::Add(gradient, load_part(d, dbias + i, count)), d, dbias + i, count);
      }
    }
  }
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {

HWY_EXPORT(forward_rows);
HWY_EXPORT(backward_rows);

void forward(const NormForwardRows& rows, std::int64_t count) {
  constexpr std::int64_t chunk = 16;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    HWY_DYNAMIC_DISPATCH(forward_rows)(rows, begin, std::min(begin + chunk, count));
  }
}

/// The rows are cut into chunks whose number depends on the count of rows alone, and the chunks'
/// sums are added in order: the same bits with any number of threads.
void backward(const NormBackwardRows& rows, std::int64_t count, float* dweight, float* dbias) {
  if (count == 0) {
    return;
  }
  const std::int64_t chunk = std::max<std::int64_t>(32, (count + 63) / 64);
  const std::int64_t chunks = (count + chunk - 1) / chunk;
  const std::int64_t stride = rows.width * (dbias != nullptr ? 2 : 1);
  std::vector<float> parts(static_cast<std::size_t>(chunks * stride));
#pragma omp parallel for schedule(static)
  for (std::int64_t part = 0; part < chunks; ++part) {
    float* dweight_part = parts.data() + part * stride;
    HWY_DYNAMIC_DISPATCH(backward_rows)
    (rows, part * chunk, std::min((part + 1) * chunk, count), dweight_part,
     dbias != nullptr ? dweight_part + rows.width : nullptr);
  }
  constexpr std::int64_t columns = 256;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < rows.width; begin += columns) {
    const std::int64_t end = std::min(begin + columns, rows.width);
    for (std::int64_t part = 0; part < chunks; ++part) {
      const float* sums = parts.data() + part * stride;
      for (std::int64_t i = begin; i < end; ++i) {
        dweight[i] += sums[i];
      }
      if (dbias != nullptr) {
        for (std::int64_t i = begin; i < end; ++i) {
          dbias[i] += sums[rows.width + i];
        }
      }
    }
  }
}

}  // namespace

void layer_norm_forward(Queue&, View out, View mean, View rstd, ConstView x, ConstView weight,
                        ConstView bias, double epsilon) {
  forward({.out = out.data<float>(),
           .mean = mean.data<float>(),
           .rstd = rstd.data<float>(),
           .x = x.data<float>(),
           .weight = weight.data<float>(),
           .bias = bias.empty() ? nullptr : bias.data<float>(),
           .width = x.extent(1),
           .epsilon = static_cast<float>(epsilon)},
          x.extent(0));
}

void layer_norm_backward(Queue&, View dx, View dweight, View dbias, ConstView dout, ConstView x,
                         ConstView weight, ConstView mean, ConstView rstd) {
  backward({.dx = dx.data<float>(),
            .dout = dout.data<float>(),
            .x = x.data<float>(),
            .weight = weight.data<float>(),
            .mean = mean.data<float>(),
            .rstd = rstd.data<float>(),
            .width = x.extent(1)},
           x.extent(0), dweight.data<float>(), dbias.empty() ? nullptr : dbias.data<float>());
}

void rms_norm_forward(Queue&, View out, View rstd, ConstView x, ConstView weight, double epsilon) {
  forward({.out = out.data<float>(),
           .mean = nullptr,
           .rstd = rstd.data<float>(),
           .x = x.data<float>(),
           .weight = weight.data<float>(),
           .bias = nullptr,
           .width = x.extent(1),
           .epsilon = static_cast<float>(epsilon)},
          x.extent(0));
}

void rms_norm_backward(Queue&, View dx, View dweight, ConstView dout, ConstView x, ConstView weight,
                       ConstView rstd) {
  backward({.dx = dx.data<float>(),
            .dout = dout.data<float>(),
            .x = x.data<float>(),
            .weight = weight.data<float>(),
            .mean = nullptr,
            .rstd = rstd.data<float>(),
            .width = x.extent(1)},
           x.extent(0), dweight.data<float>(), nullptr);
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
