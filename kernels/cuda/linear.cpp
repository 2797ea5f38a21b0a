#include "kernels/cuda/linear.hpp"

#include "base/error.hpp"
#include "kernels/check.hpp"
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

const PackedWeight& weight_for(const char* kernel, const Pack& pack, ConstView x) {
  check_that(!pack.empty(), kernel, "the weight was not packed.");
  const auto& packed = pack.state<PackedWeight>();
  check_that(packed.weight.dtype() == x.dtype(), kernel,
             "the weight was packed for another precision than the activations'.");
  return packed;
}

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

/// y = x * weight^T + bias + residual, the last two optional. Throws Error for arguments that do
/// not fit together.
Matmul forward_product(const char* kernel, View y, ConstView x, const Pack& weight, ConstView bias,
                       ConstView residual) {
  check_rank(kernel, "x", x, 2);
  const ConstView w = weight_for(kernel, weight, x).weight;
  const std::int64_t rows = x.extent(0);
  check_argument(kernel, "x", x, x.dtype(), {rows, w.extent(1)});
  check_argument(kernel, "y", y, y.dtype() == DType::f32 ? DType::f32 : x.dtype(),
                 {rows, w.extent(0)});
  if (!bias.empty()) {
    check_argument(kernel, "bias", bias, bias.dtype() == y.dtype() ? y.dtype() : DType::f32,
                   {w.extent(0)});
  }
  if (!residual.empty()) {
    check_argument(kernel, "residual", residual, y.dtype(), y.shape());
  }
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
  check_rank("pack_weight", "weight", weight, 2);
  check_argument("pack_weight", "weight", weight, DType::f32, weight.shape());
  auto packed = std::move(former).release<PackedWeight>();
  const bool fits = packed != nullptr && packed->weight.shape() == weight.shape() &&
                    packed->weight.dtype() == precision;
  if (precision == DType::f32) {
    if (!fits) {
      packed = std::make_shared<PackedWeight>();
    }
    packed->weight = weight;
    return Pack(std::move(packed));
  }
  if (!fits) {
    packed = std::make_shared<PackedWeight>();
    packed->memory = Tensor(queue.memory(), weight.shape(), precision, MemoryUse::packed_weights);
  }
  const View rounded = packed->memory.view();
  copy(queue, rounded, weight);
  packed->weight = rounded;
  return Pack(std::move(packed));
}

void linear_forward(Queue& queue, View y, ConstView x, const Pack& weight, ConstView bias,
                    ConstView residual) {
  Matmul product = forward_product("linear_forward", y, x, weight, bias, residual);
  if (product.columns > 0) {
    product.bias = bias_as(queue, bias, y.dtype());
    multiply(queue, product);
  }
}

void linear_gelu_forward(Queue& queue, View activated, View y, ConstView x, const Pack& weight,
                         ConstView bias, Gelu kind) {
  constexpr const char* kernel = "linear_gelu_forward";
  check_argument(kernel, "activated", activated, x.dtype(), activated.shape());
  if (!y.empty()) {
    check_argument(kernel, "y", y, x.dtype(), activated.shape());
  }
  const View before = y.empty() ? activated : y;
  Matmul product = forward_product(kernel, before, x, weight, bias, {});
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

void linear_input_gradient(Queue& queue, View dx, ConstView dy, const Pack& weight, Write write) {
  constexpr const char* kernel = "linear_input_gradient";
  check_rank(kernel, "dy", dy, 2);
  const ConstView w = weight_for(kernel, weight, dy).weight;
  const std::int64_t rows = dy.extent(0);
  check_argument(kernel, "dy", dy, dy.dtype(), {rows, w.extent(0)});
  check_argument(kernel, "dx", dx, dy.dtype(), {rows, w.extent(1)});
  if (rows == 0) {
    return;
  }
  multiply(queue, {.a = operand(w),
                   .b = operand(dy),
                   .c = write == Write::accumulate ? dx.bytes() : nullptr,
                   .d = dx.bytes(),
                   .d_type = dx.dtype(),
                   .rows = w.extent(1),
                   .columns = rows});
}

void linear_weight_gradient(Queue& queue, View dweight, View dbias, ConstView dy, ConstView x) {
  constexpr const char* kernel = "linear_weight_gradient";
  check_rank(kernel, "dweight", dweight, 2);
  check_rank(kernel, "x", x, 2);
  const std::int64_t rows = x.extent(0);
  check_argument(kernel, "dweight", dweight, DType::f32, dweight.shape());
  check_argument(kernel, "x", x, x.dtype(), {rows, dweight.extent(1)});
  check_argument(kernel, "dy", dy, x.dtype(), {rows, dweight.extent(0)});
  if (!dbias.empty()) {
    check_argument(kernel, "dbias", dbias, DType::f32, {dweight.extent(0)});
  }
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
