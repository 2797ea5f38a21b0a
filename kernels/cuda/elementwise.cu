#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/number.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 256;

__device__ inline std::int64_t this_element() {
  return static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
}

template <class T>
__global__ void fill_elements(T* out, T value, std::int64_t n) {
  if (const std::int64_t i = this_element(); i < n) {
    out[i] = value;
  }
}

template <class Out, class In>
__global__ void convert_elements(Out* out, const In* x, std::int64_t n) {
  if (const std::int64_t i = this_element(); i < n) {
    out[i] = from_f32<Out>(to_f32(x[i]));
  }
}

template <class T>
__global__ void add_elements(T* out, const T* x, std::int64_t n) {
  if (const std::int64_t i = this_element(); i < n) {
    out[i] = from_f32<T>(to_f32(out[i]) + to_f32(x[i]));
  }
}

/// bias (columns) and residual may be null; the bias is rounded to y's precision.
template <class T, class Bias>
__global__ void add_bias_elements(T* y, const Bias* bias, const T* residual, std::int64_t columns,
                                  std::int64_t n) {
  if (const std::int64_t i = this_element(); i < n) {
    float sum = to_f32(y[i]);
    if (bias != nullptr) {
      sum += to_f32(from_f32<T>(to_f32(bias[i % columns])));
    }
    if (residual != nullptr) {
      sum += to_f32(residual[i]);
    }
    y[i] = from_f32<T>(sum);
  }
}

__global__ void scale_elements(float* x, const float* factor, std::int64_t n) {
  if (const std::int64_t i = this_element(); i < n) {
    x[i] *= factor[0];
  }
}

Grid grid_for(std::int64_t n) { return {.blocks = blocks_for(n, threads), .threads = threads}; }

template <class T>
void fill_with(Queue& queue, View out, T value) {
  launch(queue, "fill", fill_elements<T>, grid_for(out.numel()), out.data<T>(), value, out.numel());
}

}  // namespace

void fill(Queue& queue, View out, double value) {
  switch (out.dtype()) {
    case DType::f32:
      return fill_with(queue, out, static_cast<float>(value));
    case DType::f64:
      return fill_with(queue, out, value);
    case DType::bf16:
      return fill_with(queue, out, to_bf16(static_cast<float>(value)));
    case DType::i32:
      return fill_with(queue, out, static_cast<std::int32_t>(value));
    case DType::i64:
      return fill_with(queue, out, static_cast<std::int64_t>(value));
    case DType::u8:
      return fill_with(queue, out, static_cast<std::uint8_t>(value));
  }
}

void copy(Queue& queue, View out, ConstView x) {
  if (out.dtype() == x.dtype()) {
    if (x.size_bytes() > 0) {
      check(cudaMemcpyAsync(out.bytes(), x.bytes(), static_cast<std::size_t>(x.size_bytes()),
                            cudaMemcpyDeviceToDevice, stream_of(queue)),
            "cudaMemcpyAsync");
    }
    return;
  }
  with_precision("copy", out.dtype(), [&](auto to) {
    with_precision("copy", x.dtype(), [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      launch(queue, "copy", convert_elements<To, From>, grid_for(x.numel()), out.data<To>(),
             x.data<From>(), x.numel());
    });
  });
}

void add(Queue& queue, View out, ConstView x) {
  with_precision("add", x.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, "add", add_elements<T>, grid_for(x.numel()), out.data<T>(), x.data<T>(),
           x.numel());
  });
}

void add_bias(Queue& queue, View y, ConstView bias, ConstView residual) {
  with_precision("add_bias", y.dtype(), [&](auto number) {
    with_precision("add_bias", bias.dtype(), [&](auto of_bias) {
      using T = decltype(number);
      using Bias = decltype(of_bias);
      launch(queue, "add_bias", add_bias_elements<T, Bias>, grid_for(y.numel()), y.data<T>(),
             bias.data<Bias>(), residual.data<T>(), y.extent(1), y.numel());
    });
  });
}

void scale(Queue& queue, View x, ConstView factor) {
  launch(queue, "scale", scale_elements, grid_for(x.numel()), x.data<float>(), factor.data<float>(),
         x.numel());
}

}  // namespace precis::cuda
