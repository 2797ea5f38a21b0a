// Layer norm and RMS norm; RMS norm is layer norm with a mean of zero. A row is treated in one
// order of threads, whatever the batch.
#include <algorithm>

#include "kernels/check.hpp"
#include "kernels/cuda/block.hpp"
#include "kernels/cuda/column_sums.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 128;

/// Rows of width C; `mean` and `bias` are null where there are none.
template <class T>
struct Forward {
  T* out;
  float* mean;
  float* rstd;
  const T* x;
  const float* weight;
  const float* bias;
  std::int64_t width;
  float epsilon;
  bool aligned;
};

template <class T>
struct Backward {
  T* dx;
  float* dweight_parts;  ///< (blocks, C)
  float* dbias_parts;    ///< the same, or null
  const T* dout;
  const T* x;
  const float* weight;
  const float* mean;  ///< null for RMS norm
  const float* rstd;
  std::int64_t rows;
  std::int64_t rows_a_part;
  std::int64_t width;
  bool aligned;
};

/// Calls body(i, how) for this thread's groups of a row, which begin at i.
template <int size, class Body>
__device__ void for_groups(std::int64_t width, bool aligned, const Body& body) {
  for (std::int64_t i = threadIdx.x * size; i < width; i += threads * size) {
    with_group<size>(width, i, aligned, [&](const auto& how) { body(i, how); });
  }
}

/// One block a row. What is read again lies in the first cache.
template <class T>
__global__ void forward_row(const Forward<T> a) {
  constexpr int size = group_size<T>;
  const std::int64_t row = blockIdx.x;
  const T* x = a.x + row * a.width;
  T* out = a.out + row * a.width;
  const float inverse_width = 1.0F / static_cast<float>(a.width);
  float mean = 0.0F;
  if (a.mean != nullptr) {
    float sum = 0.0F;
    for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
      const auto numbers = how.load(x + i);
      for (int e = 0; e < size; ++e) {
        sum += numbers.x[e];
      }
    });
    mean = inverse_width * over_block<threads>(sum, SumOf{});
  }
  float squares = 0.0F;
  for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
    const auto numbers = how.load(x + i);
    for (int e = 0; e < size; ++e) {
      const float difference = e < how.count ? numbers.x[e] - mean : 0.0F;
      squares += difference * difference;
    }
  });
  const float variance = inverse_width * over_block<threads>(squares, SumOf{});
  const float rstd = 1.0F / sqrtf(variance + a.epsilon);
  for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
    auto numbers = how.load(x + i);
    const auto weight = how.load(a.weight + i);
    const auto bias = a.bias != nullptr ? how.load(a.bias + i) : Group<size>{};
    for (int e = 0; e < size; ++e) {
      numbers.x[e] = (numbers.x[e] - mean) * rstd * weight.x[e] + bias.x[e];
    }
    how.store(out + i, numbers);
  });
  if (threadIdx.x == 0) {
    a.rstd[row] = rstd;
    if (a.mean != nullptr) {
      a.mean[row] = mean;
    }
  }
}

/// A group's normalised elements and their gradients.
template <int size>
struct Normal {
  Group<size> x, dx, dout;
};

template <int size, class T, class How>
__device__ Normal<size> normal_of(const Backward<T>& a, std::int64_t row, std::int64_t i,
                                  const How& how, float mean, float rstd) {
  Normal<size> normal;
  normal.x = how.load(a.x + row * a.width + i);
  normal.dout = how.load(a.dout + row * a.width + i);
  normal.dx = how.load(a.weight + i);  // zero beyond the row
  for (int e = 0; e < size; ++e) {
    normal.x.x[e] = (normal.x.x[e] - mean) * rstd;
    normal.dx.x[e] *= normal.dout.x[e];
  }
  return normal;
}

/// One block a part of the rows. The part's sums for dweight and dbias gather in shared memory,
/// each column's in the hands of one thread.
template <class T>
__global__ void backward_part(const Backward<T> a) {
  constexpr int size = group_size<T>;
  auto* const dweight = reinterpret_cast<float*>(shared_memory());
  float* const dbias = dweight + a.width;
  const bool has_bias = a.dbias_parts != nullptr;
  const float inverse_width = 1.0F / static_cast<float>(a.width);
  for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
    how.store(dweight + i, Group<size>{});
    if (has_bias) {
      how.store(dbias + i, Group<size>{});
    }
  });
  const std::int64_t part = blockIdx.x;
  const std::int64_t begin = part * a.rows_a_part;
  const std::int64_t end = begin + a.rows_a_part < a.rows ? begin + a.rows_a_part : a.rows;
  for (std::int64_t row = begin; row < end; ++row) {
    const float mean = a.mean != nullptr ? a.mean[row] : 0.0F;
    const float rstd = a.rstd[row];
    float sum = 0.0F;
    float projection = 0.0F;
    for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
      const auto normal = normal_of<size>(a, row, i, how, mean, rstd);
      for (int e = 0; e < size; ++e) {
        sum += normal.dx.x[e];
        projection += normal.dx.x[e] * normal.x.x[e];
      }
    });
    sum = a.mean != nullptr ? inverse_width * over_block<threads>(sum, SumOf{}) : 0.0F;
    projection = inverse_width * over_block<threads>(projection, SumOf{});
    for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
      const auto normal = normal_of<size>(a, row, i, how, mean, rstd);
      T* const to = a.dx + row * a.width + i;
      auto dx = how.load(to);
      auto dweight_sum = how.load(dweight + i);
      for (int e = 0; e < size; ++e) {
        dx.x[e] += rstd * (normal.dx.x[e] - sum - normal.x.x[e] * projection);
        dweight_sum.x[e] += normal.dout.x[e] * normal.x.x[e];
      }
      how.store(to, dx);
      how.store(dweight + i, dweight_sum);
      if (has_bias) {
        auto dbias_sum = how.load(dbias + i);
        for (int e = 0; e < size; ++e) {
          dbias_sum.x[e] += normal.dout.x[e];
        }
        how.store(dbias + i, dbias_sum);
      }
    });
  }
  for_groups<size>(a.width, a.aligned, [&](std::int64_t i, const auto& how) {
    how.store(a.dweight_parts + part * a.width + i, how.load(dweight + i));
    if (has_bias) {
      how.store(a.dbias_parts + part * a.width + i, how.load(dbias + i));
    }
  });
}

void forward(Queue& queue, const char* kernel, View out, View mean, View rstd, ConstView x,
             ConstView weight, ConstView bias, double epsilon) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t width = x.extent(1);
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, forward_row<T>, {.blocks = rows, .threads = threads},
           Forward<T>{.out = out.data<T>(),
                      .mean = mean.data<float>(),
                      .rstd = rstd.data<float>(),
                      .x = x.data<T>(),
                      .weight = weight.data<float>(),
                      .bias = bias.data<float>(),
                      .width = width,
                      .epsilon = static_cast<float>(epsilon),
                      .aligned = groups_are_aligned(group_size<T>, width, {out, x, weight, bias})});
  });
}

void backward(Queue& queue, const char* kernel, View dx, View dweight, View dbias, ConstView dout,
              ConstView x, ConstView weight, ConstView mean, ConstView rstd) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t width = x.extent(1);
  check_that(width <= 16384, kernel, "takes rows of at most 16384 elements.");
  if (rows == 0) {
    return;
  }
  // Enough parts to fill the largest GPUs; at least four rows each, so that their sums stay small
  // beside the rows.
  const std::int64_t rows_a_part = std::max<std::int64_t>(4, blocks_for(rows, 512));
  const std::int64_t parts = blocks_for(rows, rows_a_part);
  const int sums = dbias.empty() ? 1 : 2;
  float* const dweight_parts = scratch_of(queue).of<float>(sums * parts * width);
  float* const dbias_parts = dbias.empty() ? nullptr : dweight_parts + parts * width;
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, backward_part<T>,
           {.blocks = parts,
            .threads = threads,
            .shared_bytes = sums * width * static_cast<std::int64_t>(sizeof(float))},
           Backward<T>{.dx = dx.data<T>(),
                       .dweight_parts = dweight_parts,
                       .dbias_parts = dbias_parts,
                       .dout = dout.data<T>(),
                       .x = x.data<T>(),
                       .weight = weight.data<float>(),
                       .mean = mean.data<float>(),
                       .rstd = rstd.data<float>(),
                       .rows = rows,
                       .rows_a_part = rows_a_part,
                       .width = width,
                       .aligned = groups_are_aligned(group_size<T>, width, {dx, dout, x, weight})});
  });
  add_parts(queue, dweight.data<float>(), dweight_parts, parts, width);
  if (!dbias.empty()) {
    add_parts(queue, dbias.data<float>(), dbias_parts, parts, width);
  }
}

}  // namespace

void layer_norm_forward(Queue& queue, View out, View mean, View rstd, ConstView x, ConstView weight,
                        ConstView bias, double epsilon) {
  forward(queue, "layer_norm_forward", out, mean, rstd, x, weight, bias, epsilon);
}

void layer_norm_backward(Queue& queue, View dx, View dweight, View dbias, ConstView dout,
                         ConstView x, ConstView weight, ConstView mean, ConstView rstd) {
  backward(queue, "layer_norm_backward", dx, dweight, dbias, dout, x, weight, mean, rstd);
}

void rms_norm_forward(Queue& queue, View out, View rstd, ConstView x, ConstView weight,
                      double epsilon) {
  forward(queue, "rms_norm_forward", out, View(), rstd, x, weight, ConstView(), epsilon);
}

void rms_norm_backward(Queue& queue, View dx, View dweight, ConstView dout, ConstView x,
                       ConstView weight, ConstView rstd) {
  backward(queue, "rms_norm_backward", dx, dweight, View(), dout, x, weight, ConstView(), rstd);
}

}  // namespace precis::cuda
