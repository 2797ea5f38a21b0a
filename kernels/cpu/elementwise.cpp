#include <algorithm>
#include <cstring>

#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {
namespace {

/// Below this many elements threads cost more than they save.
constexpr std::int64_t worth_threads = 1 << 15;

template <class T>
void fill_with(View out, double value) {
  T* const to = out.data<T>();
  const std::int64_t n = out.numel();
  const T element = static_cast<T>(value);
#pragma omp parallel for simd schedule(static) if (n > worth_threads)
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] = element;
  }
}

template <class Out, class In>
void convert(View out, ConstView x, Out (&number)(In) noexcept) {
  Out* const to = out.data<Out>();
  const In* const from = x.data<In>();
  const std::int64_t n = x.numel();
#pragma omp parallel for schedule(static) if (n > worth_threads)
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] = number(from[i]);
  }
}

}  // namespace

void fill(Queue&, View out, double value) {
  switch (out.dtype()) {
    case DType::f32:
      return fill_with<float>(out, value);
    case DType::f64:
      return fill_with<double>(out, value);
    case DType::i32:
      return fill_with<std::int32_t>(out, value);
    case DType::i64:
      return fill_with<std::int64_t>(out, value);
    case DType::u8:
      return fill_with<std::uint8_t>(out, value);
    case DType::bf16:
      return;  // Refused by the check: the backend has no bf16.
  }
}

void copy(Queue&, View out, ConstView x) {
  if (out.dtype() == DType::bf16 && x.dtype() == DType::f32) {
    return convert<BFloat16, float>(out, x, to_bf16);
  }
  if (out.dtype() == DType::f32 && x.dtype() == DType::bf16) {
    return convert<float, BFloat16>(out, x, to_f32);
  }
  constexpr std::int64_t piece = 1 << 18;
  const std::int64_t bytes = x.size_bytes();
#pragma omp parallel for schedule(static) if (bytes > piece)
  for (std::int64_t begin = 0; begin < bytes; begin += piece) {
    std::memcpy(out.bytes() + begin, x.bytes() + begin,
                static_cast<std::size_t>(std::min(piece, bytes - begin)));
  }
}

void add(Queue&, View out, ConstView x) {
  float* const to = out.data<float>();
  const float* const from = x.data<float>();
  const std::int64_t n = x.numel();
#pragma omp parallel for simd schedule(static) if (n > worth_threads)
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] += from[i];
  }
}

void add_bias(Queue&, View y, ConstView bias, ConstView residual) {
  float* const to = y.data<float>();
  const float* const of_column = bias.data<float>();
  const float* const more = residual.data<float>();
  const std::int64_t columns = y.extent(1);
  const std::int64_t rows = y.extent(0);
#pragma omp parallel for schedule(static) if (rows * columns > worth_threads)
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t begin = row * columns;
    if (of_column != nullptr) {
#pragma omp simd
      for (std::int64_t column = 0; column < columns; ++column) {
        to[begin + column] += of_column[column];
      }
    }
    if (more != nullptr) {
#pragma omp simd
      for (std::int64_t column = 0; column < columns; ++column) {
        to[begin + column] += more[begin + column];
      }
    }
  }
}

void scale(Queue&, View x, ConstView factor) {
  float* const to = x.data<float>();
  const float by = *factor.data<float>();
  const std::int64_t n = x.numel();
#pragma omp parallel for simd schedule(static) if (n > worth_threads)
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] *= by;
  }
}

}  // namespace precis::cpu
