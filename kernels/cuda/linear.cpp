#include "kernels/cuda/linear.hpp"

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/matmul.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {
namespace {

/// f32: the parameter itself; bf16: its rounded copy.
struct PackedWeight {
  ConstView weight;  // (out,in)
  Tensor memory;
};

ConstView weight_of(const Pack& pack) { return pack.state<PackedWeight>().weight; }

/// A row-major matrix (rows, columns) is a column-major one of (columns, rows).
MatmulOperand operand(ConstView x, bool transposed = false) {
  return {x.bytes(), x.dtype(), x.extent(1), x.extent(0), transposed};
}

Matmuls& matmuls_of(QueueState& state) {
  if (state.matmuls == nullptr) {
    state.matmuls = std::make_shared<Matmuls>();
  }
  return *static_cast<Matmuls*>(state.matmuls.get());
}

void multiply(Queue& queue, const Matmul& product) {
  auto& state = queue.state<QueueState>();
  matmuls_of(state).run(product, state.stream, state.matmul_scratch);
}

/// The bias in the type of the result, as cuBLASLt wants it.
const void* bias_as(Queue& queue, ConstView bias, DType dtype) {
  if (bias.empty() || bias.dtype() == dtype) {
    return bias.bytes();
  }
  const View rounded(scratch_of(queue).bytes(bias.numel() * size_of(dtype)), dtype, bias.shape());
  copy(queue, rounded, bias);
  return rounded.bytes();
}

/// y = x * weight^T + residual, the last optional.
Matmul forward_product(View y, ConstView x, const Pack& weight, ConstView residual) {
  const ConstView w = weight_of(weight);
  const std::int64_t rows = x.extent(0);
  return {.a = operand(w, true),
          .b = operand(x),
          .c = residual.bytes(),
          .d = y.bytes(),
          .d_type = y.dtype(),
          .rows = w.extent(0),
          .columns = rows};
}

}  // namespace

Pack pack_weight(Queue& queue, ConstView weight, PackFor /*purpose*/, DType precision,
                 Pack former) {
  auto packed = std::move(former).release<PackedWeight>();
  const bool fits = packed != nullptr && packed->weight.shape() == weight.shape() &&
                    packed->weight.dtype() == precision;
  if (precision == DType::f32) {
    if (!fits) {
      packed = std::make_shared<PackedWeight>();
    }
    packed->weight = weight;
    return Pack(std::move(packed), weight.shape(), precision);
  }
  if (!fits) {
    packed = std::make_shared<PackedWeight>();
    packed->memory = Tensor(queue.memory(), weight.shape(), precision, MemoryUse::packed_weights);
  }
  const View rounded = packed->memory.view();
  copy(queue, rounded, weight);
  packed->weight = rounded;
  return Pack(std::move(packed), weight.shape(), precision);
}

void linear_forward(Queue& queue, View y, ConstView x, const Pack& weight, SumParts /*parts*/,
                    ConstView bias, ConstView residual) {
  Matmul product = forward_product(y, x, weight, residual);
  if (product.columns > 0) {
    product.bias = bias_as(queue, bias, y.dtype());
    multiply(queue, product);
  }
}

void linear_gelu_forward(Queue& queue, View activated, View y, ConstView x, const Pack& weight,
                         ConstView bias, Gelu kind) {
  const View before = y.empty() ? activated : y;
  Matmul product = forward_product(before, x, weight, {});
  if (product.columns == 0) {
    return;
  }
  product.bias = bias_as(queue, bias, x.dtype());
  Matmul both = product;
  both.gelu = true;
  both.before_gelu = y.bytes();
  both.d = activated.bytes();
  if (kind == Gelu::tanh && matmuls_of(queue.state<QueueState>()).fuse_gelu(both)) {
    multiply(queue, both);
  } else {
    multiply(queue, product);
    gelu_forward(queue, activated, before, kind);
  }
}

void linear_input_gradient(Queue& queue, View dx, std::span<const GradientTerm> terms) {
  const std::int64_t rows = dx.extent(0);
  if (rows == 0) {
    return;
  }
  const void* before = nullptr;
  for (const GradientTerm& term : terms) {
    const ConstView w = weight_of(*term.weight);
    multiply(queue, {.a = operand(w),
                     .b = operand(term.dy),
                     .c = before,
                     .d = dx.bytes(),
                     .d_type = dx.dtype(),
                     .rows = w.extent(1),
                     .columns = rows});
    before = dx.bytes();
  }
}

void linear_weight_gradient(Queue& queue, View dweight, View dbias, ConstView dy, ConstView x) {
  const std::int64_t rows = x.extent(0);
  if (rows == 0) {
    return;
  }
  multiply(queue, {.a = operand(x),
                   .b = operand(dy, true),
                   .c = dweight.bytes(),
                   .d = dweight.bytes(),
                   .d_type = DType::f32,
                   .rows = dweight.extent(1),
                   .columns = dweight.extent(0)});
  if (!dbias.empty()) {
    add_column_sums(queue, dbias, dy);
  }
}

}  // namespace precis::cuda
