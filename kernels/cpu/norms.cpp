// Layer norm and RMS norm. A row is treated in one order of lanes, whatever the batch; RMS norm is
// layer norm with a mean of zero.
#include <omp.h>

#include <algorithm>
#include <cmath>

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
  float* dweight;
  float* dbias;  ///< May be null.
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

/// The sum of term(i, count), a vector of the `count` elements from i on, over a row of n.
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

/// (x - mean) * rstd: one formula for dx and dweight.
HWY_INLINE Lane normal_part(const float* x, std::size_t count, Lane mean, Lane rstd) {
  return hn::Mul(hn::Sub(load_part(Tag(), x, count), mean), rstd);
}

HWY_INLINE Lane mean_of(const NormBackwardRows& rows, std::int64_t row) {
  return hn::Set(Tag(), rows.mean != nullptr ? rows.mean[row] : 0.0F);
}

/// dx of rows [begin, end).
void backward_rows(const NormBackwardRows& rows, std::int64_t begin, std::int64_t end) {
  const Tag d;
  const auto n = static_cast<std::size_t>(rows.width);
  const float inverse_width = 1.0F / static_cast<float>(rows.width);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = rows.x + row * rows.width;
    const float* dout = rows.dout + row * rows.width;
    float* dx = rows.dx + row * rows.width;
    const Lane mean = mean_of(rows, row);
    const Lane rstd = hn::Set(d, rows.rstd[row]);
    const auto dnormal = [&](std::size_t i, std::size_t count) HWY_ATTR {
      return hn::Mul(load_part(d, dout + i, count), load_part(d, rows.weight + i, count));
    };
    const auto normal = [&](std::size_t i, std::size_t count)
                            HWY_ATTR { return normal_part(x + i, count, mean, rstd); };
    const float dnormal_mean = rows.mean != nullptr ? inverse_width * sum_over(n, dnormal) : 0.0F;
    const float projection =
        inverse_width * sum_over(n, [&](std::size_t i, std::size_t count) HWY_ATTR {
          return hn::Mul(dnormal(i, count), normal(i, count));
        });
    const Lane dnormal_mean_lanes = hn::Set(d, dnormal_mean);
    const Lane projection_lanes = hn::Set(d, projection);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
      const std::size_t count = std::min(hn::Lanes(d), n - i);
      const Lane centred = hn::NegMulAdd(normal(i, count), projection_lanes,
                                         hn::Sub(dnormal(i, count), dnormal_mean_lanes));
      store_part(hn::MulAdd(centred, rstd, load_part(d, dx + i, count)), d, dx + i, count);
    }
  }
}

/// Adds dweight and, unless null, dbias of `vectors` vectors of columns from `column` on, the last
/// one with `last` columns, over rows [begin, end): one chain per column, continued in memory.
template <int vectors>
HWY_INLINE void add_column_gradients(const NormBackwardRows& rows, std::int64_t begin,
                                     std::int64_t end, std::int64_t column, std::size_t last) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto count = [&](int v) { return v + 1 < vectors ? hn::Lanes(d) : last; };
  Lane weight[vectors];
  Lane bias[vectors];
  HWY_UNROLL(8)
  for (int v = 0; v < vectors; ++v) {
    weight[v] = load_part(d, rows.dweight + column + v * lanes, count(v));
    bias[v] = rows.dbias != nullptr ? load_part(d, rows.dbias + column + v * lanes, count(v))
                                    : hn::Zero(d);
  }
  for (std::int64_t row = begin; row < end; ++row) {
    const Lane mean = mean_of(rows, row);
    const Lane rstd = hn::Set(d, rows.rstd[row]);
    const std::int64_t at = row * rows.width + column;
    HWY_UNROLL(8)
    for (int v = 0; v < vectors; ++v) {
      const Lane gradient = load_part(d, rows.dout + at + v * lanes, count(v));
      const Lane normal = normal_part(rows.x + at + v * lanes, count(v), mean, rstd);
      weight[v] = hn::MulAdd(gradient, normal, weight[v]);
      bias[v] = hn::Add(gradient, bias[v]);
    }
  }
  HWY_UNROLL(8)
  for (int v = 0; v < vectors; ++v) {
    store_part(weight[v], d, rows.dweight + column + v * lanes, count(v));
    if (rows.dbias != nullptr) {
      store_part(bias[v], d, rows.dbias + column + v * lanes, count(v));
    }
  }
}

/// dweight and dbias of columns [begin, end): adds rows [first_row, last_row) in their order.
void backward_columns(const NormBackwardRows& rows, std::int64_t first_row, std::int64_t last_row,
                      std::int64_t begin, std::int64_t end) {
  constexpr int vectors = 4;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  std::int64_t column = begin;
  for (; column + vectors * lanes <= end; column += vectors * lanes) {
    add_column_gradients<vectors>(rows, first_row, last_row, column, hn::Lanes(Tag()));
  }
  for (; column < end; column += lanes) {
    add_column_gradients<1>(rows, first_row, last_row, column,
                            static_cast<std::size_t>(std::min(lanes, end - column)));
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
HWY_EXPORT(backward_columns);

void forward(const NormForwardRows& rows, std::int64_t count) {
  constexpr std::int64_t chunk = 16;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    HWY_DYNAMIC_DISPATCH(forward_rows)(rows, begin, std::min(begin + chunk, count));
  }
}

/// dx by rows. dweight and dbias by columns, each one chain over the rows in their order, starting
/// from the values in memory: the same bits however a batch is cut into calls, and with any number
/// of threads.
void backward(const NormBackwardRows& rows, std::int64_t count) {
  constexpr std::int64_t chunk = 32;
  constexpr std::int64_t columns = 64;
  // So many rows at a time that the columns find them in the cache: x and dout, 1 MiB per thread.
  constexpr std::int64_t cached = 1 << 20;
  const std::int64_t row_bytes = 2 * rows.width * size_of(DType::f32);
  const std::int64_t block =
      std::max(chunk, cached / std::max<std::int64_t>(row_bytes, 1)) * omp_get_max_threads();
#pragma omp parallel
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t last = std::min(first + block, count);
#pragma omp for schedule(static)
    for (std::int64_t begin = first; begin < last; begin += chunk) {
      HWY_DYNAMIC_DISPATCH(backward_rows)(rows, begin, std::min(begin + chunk, last));
    }
#pragma omp for schedule(static) nowait
    for (std::int64_t begin = 0; begin < rows.width; begin += columns) {
      HWY_DYNAMIC_DISPATCH(backward_columns)
      (rows, first, last, begin, std::min(begin + columns, rows.width));
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
            .dweight = dweight.data<float>(),
            .dbias = dbias.empty() ? nullptr : dbias.data<float>(),
            .dout = dout.data<float>(),
            .x = x.data<float>(),
            .weight = weight.data<float>(),
            .mean = mean.data<float>(),
            .rstd = rstd.data<float>(),
            .width = x.extent(1)},
           x.extent(0));
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
            .dweight = dweight.data<float>(),
            .dbias = nullptr,
            .dout = dout.data<float>(),
            .x = x.data<float>(),
            .weight = weight.data<float>(),
            .mean = nullptr,
            .rstd = rstd.data<float>(),
            .width = x.extent(1)},
           x.extent(0));
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
