// Elementwise kernels, activations and reductions.
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "kernels/checks/checks.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::checks {
namespace {

template <class Integer>
bool holds(double value) {
  // The bounds as powers of two, which f64 has exactly.
  const double end = std::ldexp(1.0, std::numeric_limits<Integer>::digits);
  const double begin = std::numeric_limits<Integer>::is_signed ? -end : 0.0;
  return std::trunc(value) == value && begin <= value && value < end;
}

bool holds(DType dtype, double value) {
  switch (dtype) {
    case DType::i32:
      return holds<std::int32_t>(value);
    case DType::i64:
      return holds<std::int64_t>(value);
    case DType::u8:
      return holds<std::uint8_t>(value);
    case DType::f32:
    case DType::f64:
    case DType::bf16:
      return true;
  }
  return false;
}

void reduction(const KernelCall& call, View out, ConstView x) {
  call.tensor("x", x, DType::f32, x.shape());
  call.tensor("out", out, DType::i64, {exact_sum_words});
}

}  // namespace

void fill(const KernelCall& call, View out, double value) {
  if (out.dtype() == DType::bf16) {
    call.activations("out", out, out.shape());
  }
  require(holds(out.dtype(), value), "Kernel {}: value is {}; expected a number that {} holds.",
          call.kernel, value, name_of(out.dtype()));
}

void copy(const KernelCall& call, View out, ConstView x) {
  const bool converts = (out.dtype() == DType::bf16 && x.dtype() == DType::f32) ||
                        (out.dtype() == DType::f32 && x.dtype() == DType::bf16);
  call.tensor("x", x, converts ? x.dtype() : out.dtype(), out.shape());
}

void add(const KernelCall& call, View out, ConstView x) {
  call.activations("x", x, x.shape());
  call.tensor("out", out, x.dtype(), x.shape());
}

void scale(const KernelCall& call, View x, ConstView factor) {
  call.tensor("x", x, DType::f32, x.shape());
  call.tensor("factor", factor, DType::f32, {1});
}

void gelu_forward(const KernelCall& call, View out, ConstView x, Gelu /*kind*/) {
  call.activations("x", x, x.shape());
  call.tensor("out", out, x.dtype(), x.shape());
}

void gelu_backward(const KernelCall& call, View dx, ConstView dout, ConstView x, Gelu /*kind*/) {
  call.activations("x", x, x.shape());
  call.tensor("dx", dx, x.dtype(), x.shape());
  call.tensor("dout", dout, x.dtype(), x.shape());
}

void gated_silu_forward(const KernelCall& call, View out, ConstView gate, ConstView up) {
  call.activations("gate", gate, gate.shape());
  call.tensor("up", up, gate.dtype(), gate.shape());
  call.tensor("out", out, gate.dtype(), gate.shape());
}

void gated_silu_backward(const KernelCall& call, View dgate, View dup, ConstView dout,
                         ConstView gate, ConstView up) {
  call.activations("gate", gate, gate.shape());
  call.tensor("up", up, gate.dtype(), gate.shape());
  call.tensor("dout", dout, gate.dtype(), gate.shape());
  call.tensor("dgate", dgate, gate.dtype(), gate.shape());
  call.tensor("dup", dup, gate.dtype(), gate.shape());
}

void sum(const KernelCall& call, View out, ConstView x, Write /*write*/) {
  reduction(call, out, x);
}

void sum_of_squares(const KernelCall& call, View out, ConstView x, Write /*write*/) {
  reduction(call, out, x);
}

void clip_scale(const KernelCall& call, View scale, View norm, ConstView sum_of_squares,
                double /*clip*/) {
  call.tensor("scale", scale, DType::f32, {1});
  call.tensor("norm", norm, DType::f64, {1});
  call.tensor("sum_of_squares", sum_of_squares, DType::f64, {1});
}

}  // namespace precis::checks
