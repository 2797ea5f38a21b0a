#include <algorithm>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

template <class T>
void fill_with(View out, double value) {
  std::fill_n(out.data<T>(), out.numel(), static_cast<T>(value));
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
    std::transform(x.data<float>(), x.data<float>() + x.numel(), out.data<BFloat16>(), to_bf16);
    return;
  }
  if (out.dtype() == DType::f32 && x.dtype() == DType::bf16) {
    std::transform(x.data<BFloat16>(), x.data<BFloat16>() + x.numel(), out.data<float>(), to_f32);
    return;
  }
  std::copy_n(x.bytes(), x.size_bytes(), out.bytes());
}

void add(Queue&, View out, ConstView x) {
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    out.data<float>()[i] += x.data<float>()[i];
  }
}

void scale(Queue&, View x, ConstView factor) {
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.data<float>()[i] *= *factor.data<float>();
  }
}

}  // namespace precis::reference
