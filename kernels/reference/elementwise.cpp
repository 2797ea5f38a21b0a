#include <algorithm>

#include "kernels/check.hpp"
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
      check_argument("fill", "out", out, DType::f32, out.shape());
  }
}

void copy(Queue&, View out, ConstView x) {
  if (out.dtype() == DType::bf16 && x.dtype() == DType::f32) {
    check_argument("copy", "x", x, DType::f32, out.shape());
    std::transform(x.data<float>(), x.data<float>() + x.numel(), out.data<BFloat16>(), to_bf16);
    return;
  }
  if (out.dtype() == DType::f32 && x.dtype() == DType::bf16) {
    check_argument("copy", "x", x, DType::bf16, out.shape());
    std::transform(x.data<BFloat16>(), x.data<BFloat16>() + x.numel(), out.data<float>(), to_f32);
    return;
  }
  check_argument("copy", "x", x, out.dtype(), out.shape());
  std::copy_n(x.bytes(), x.size_bytes(), out.bytes());
}

void add(Queue&, View out, ConstView x) {
  check_argument("add", "x", x, DType::f32, x.shape());
  check_argument("add", "out", out, DType::f32, x.shape());
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    out.data<float>()[i] += x.data<float>()[i];
  }
}

void scale(Queue&, View x, ConstView factor) {
  check_argument("scale", "x", x, DType::f32, x.shape());
  check_argument("scale", "factor", factor, DType::f32, {1});
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.data<float>()[i] *= *factor.data<float>();
  }
}

}  // namespace precis::reference
