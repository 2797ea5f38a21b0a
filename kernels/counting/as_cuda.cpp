#include "kernels/counting/counting.hpp"
#include "kernels/counting/table.hpp"

namespace precis::counting {
namespace like_cuda {
namespace {

// The sizes of kernels/cuda, whose headers need CUDA's: matmul.cpp, attention_backward.hpp,
// decode_attention.hpp and embedding.cu.
constexpr std::int64_t product_workspace = std::int64_t{32} << 20;
constexpr std::int64_t term_bytes = 8;
constexpr std::int64_t decode_split_blocks = 8;
constexpr std::int64_t places_a_part = 512;

void product(Queue& queue) { (void)queue.state<QueueState>().products.bytes(product_workspace); }

Pack pack_weight(Queue& queue, ConstView weight, PackFor /*purpose*/, DType precision,
                 Pack former) {
  // In f32 the parameter itself is used.
  return counted_pack(queue, weight, precision == DType::f32 ? Shape{} : weight.shape(), precision,
                      std::move(former));
}

void linear_forward(Queue& queue, View /*y*/, ConstView /*x*/, const Pack& /*weight*/,
                    SumParts /*parts*/, ConstView /*bias*/, ConstView /*residual*/) {
  product(queue);
}

void linear_gelu_forward(Queue& queue, View /*activated*/, View /*y*/, ConstView /*x*/,
                         const Pack& /*weight*/, ConstView /*bias*/, Gelu /*kind*/) {
  product(queue);
}

void linear_input_gradient(Queue& queue, View /*dx*/, std::span<const GradientTerm> /*terms*/) {
  product(queue);
}

void linear_weight_gradient(Queue& queue, View /*dweight*/, View /*dbias*/, ConstView /*dy*/,
                            ConstView /*x*/) {
  product(queue);
}

void attention_backward(Queue& queue, View /*dq*/, View /*dk*/, View /*dv*/, ConstView /*dout*/,
                        ConstView /*out*/, ConstView /*log_sum_exp*/, ConstView q, ConstView /*k*/,
                        ConstView /*v*/, ConstView offsets, double /*scale*/, SumParts /*heads*/) {
  const std::int64_t terms = q.extent(0) + 1 + 2 * (offsets.numel() + 1);
  (void)queue.state<QueueState>().scratch.bytes(q.extent(1) * terms * term_bytes);
}

void decode_attention(Queue& queue, View /*out*/, ConstView q, ConstView /*key_blocks*/,
                      ConstView /*value_blocks*/, ConstView tables, ConstView /*lengths*/,
                      double /*scale*/) {
  const std::int64_t splits = (tables.extent(1) + decode_split_blocks - 1) / decode_split_blocks;
  if (splits > 1) {
    (void)queue.state<QueueState>().scratch.of<float>(q.extent(0) * q.extent(1) * splits *
                                                      (q.extent(2) + 2));
  }
}

void add_rows_at(Queue& queue, ConstView out, ConstView places) {
  const std::int64_t rows = places.numel();
  const std::int64_t parts = (rows + places_a_part - 1) / places_a_part;
  (void)queue.state<QueueState>().scratch.of<std::int32_t>((parts + 2) * out.extent(0) + 2 * rows +
                                                           1);
}

void embedding_backward(Queue& queue, View dtable, ConstView /*dout*/, ConstView tokens,
                        std::int64_t /*first*/) {
  add_rows_at(queue, dtable, tokens);
}

void scatter_add_rows(Queue& queue, View out, ConstView /*x*/, ConstView positions) {
  add_rows_at(queue, out, positions);
}

}  // namespace

constexpr Capabilities capabilities{.has_bf16 = true};

constexpr Backend backend{
    .name = "cuda",
    .runs_ahead = true,
    .one_pack = true,
#include "kernels/table.inc"
};

}  // namespace like_cuda

const Backend as_cuda = like_cuda::backend;

}  // namespace precis::counting
