#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/matmul.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/cpu/scratch_sizes.hpp"

namespace precis::cpu {
namespace {

/// So many tokens at a time of a weight's gradient: their packed copy is bounded whatever the
/// batch.
constexpr std::int64_t tokens_at_once = 1024;

struct PackedWeight {
  std::int64_t out = 0;
  std::int64_t in = 0;
  PackFor purpose = PackFor::forward;
  Tensor memory;
  Panels panels;
};

const char* name_of_purpose(PackFor purpose) {
  return purpose == PackFor::forward ? "the forward product" : "the input gradient";
}

const PackedWeight& weight_for(const char* kernel, const Pack& pack, PackFor purpose) {
  const auto& weight = pack.state<PackedWeight>();
  require(weight.purpose == purpose, "Kernel {}: the weight was packed for {}, not for {}.", kernel,
          name_of_purpose(weight.purpose), name_of_purpose(purpose));
  return weight;
}

Matrix matrix_of(ConstView x) {
  return {.data = x.data<float>(),
          .rows = x.extent(0),
          .columns = x.extent(1),
          .row_stride = x.extent(1),
          .column_stride = 1};
}

Matrix transposed(const Matrix& x) {
  return {.data = x.data,
          .rows = x.columns,
          .columns = x.rows,
          .row_stride = x.column_stride,
          .column_stride = x.row_stride};
}

/// sums (columns) += the rows of x, in their order.
void add_column_sums(float* sums, const Matrix& x) {
  constexpr std::int64_t columns_a_task = 256;
#pragma omp parallel for schedule(static) if (x.rows * x.columns > 100'000)
  for (std::int64_t begin = 0; begin < x.columns; begin += columns_a_task) {
    const std::int64_t end = std::min(x.columns, begin + columns_a_task);
    for (std::int64_t row = 0; row < x.rows; ++row) {
      const float* values = x.data + row * x.row_stride;
#pragma omp simd
      for (std::int64_t column = begin; column < end; ++column) {
        sums[column] += values[column];
      }
    }
  }
}

void forward(const char* kernel, Queue& queue, View y, ConstView x, const Pack& weight,
             SumParts parts, ConstView bias, ConstView residual) {
  const PackedWeight& w = weight_for(kernel, weight, PackFor::forward);
  multiply(scratch_of(queue),
           {.c = y.data<float>(),
            .stride = w.out,
            .continues = false,
            .bias = bias.data<float>(),
            .add = residual.data<float>()},
           {.a = matrix_of(x), .b = w.panels, .parts = parts});
}

}  // namespace

std::int64_t packed_size(std::int64_t out, std::int64_t in, PackFor purpose) {
  return purpose == PackFor::forward ? panels_size(in, out) : panels_size(out, in);
}

WeightGradientScratch weight_gradient_scratch(std::int64_t rows, std::int64_t out,
                                              std::int64_t in) {
  const std::int64_t tokens = std::min(rows, tokens_at_once);
  const SumTerm sum{tokens};
  return {.panels = panels_size(tokens, in), .product = product_scratch(out, {&sum, 1}, in)};
}

Pack pack_weight(Queue& queue, ConstView weight, PackFor purpose, DType precision, Pack former) {
  const Matrix w = matrix_of(weight);
  const Matrix b = purpose == PackFor::forward ? transposed(w) : w;
  auto packed = std::move(former).release<PackedWeight>();
  if (packed == nullptr || packed->out != w.rows || packed->in != w.columns ||
      packed->purpose != purpose) {
    packed = std::make_shared<PackedWeight>(PackedWeight{
        .out = w.rows,
        .in = w.columns,
        .purpose = purpose,
        .memory = Tensor(queue.memory(), Shape{packed_size(w.rows, w.columns, purpose)}, DType::f32,
                         MemoryUse::packed_weights),
        .panels = {}});
  }
  packed->panels = pack_panels(packed->memory.view().data<float>(), b);
  return Pack(std::move(packed), weight.shape(), precision);
}

void linear_forward(Queue& queue, View y, ConstView x, const Pack& weight, SumParts parts,
                    ConstView bias, ConstView residual) {
  forward("linear_forward", queue, y, x, weight, parts, bias, residual);
}

void linear_gelu_forward(Queue& queue, View activated, View y, ConstView x, const Pack& weight,
                         ConstView bias, Gelu kind) {
  constexpr const char* kernel = "linear_gelu_forward";
  const View before = y.empty() ? activated : y;
  forward(kernel, queue, before, x, weight, {}, bias, {});
  gelu_forward(queue, activated, before, kind);
}

void linear_input_gradient(Queue& queue, View dx, std::span<const GradientTerm> terms) {
  std::vector<Factors> factors;
  factors.reserve(terms.size());
  for (const GradientTerm& term : terms) {
    const PackedWeight& w =
        weight_for("linear_input_gradient", *term.weight, PackFor::input_gradient);
    factors.push_back({.a = matrix_of(term.dy), .b = w.panels, .parts = term.parts});
  }
  multiply(scratch_of(queue),
           {.c = dx.data<float>(),
            .stride = dx.extent(1),
            .continues = false,
            .bias = nullptr,
            .add = nullptr},
           factors);
}

void linear_weight_gradient(Queue& queue, View dweight, View dbias, ConstView dy, ConstView x) {
  const std::int64_t in = dweight.extent(1);
  const std::int64_t rows = x.extent(0);
  QueueState& state = queue.state<QueueState>();
  for (std::int64_t begin = 0; begin < rows; begin += tokens_at_once) {
    const std::int64_t end = std::min(rows, begin + tokens_at_once);
    const Panels panels = pack_panels(state.panels.of<float>(panels_size(end - begin, in)),
                                      matrix_of(x.rows(begin, end)));
    multiply(state.scratch,
             {.c = dweight.data<float>(),
              .stride = in,
              .continues = true,
              .bias = nullptr,
              .add = nullptr},
             {.a = transposed(matrix_of(dy.rows(begin, end))), .b = panels});
  }
  if (!dbias.empty()) {
    add_column_sums(dbias.data<float>(), matrix_of(dy));
  }
}

}  // namespace precis::cpu
