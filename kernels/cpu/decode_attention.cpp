// Attention of one query a sequence over the KV cache: the row routine of the packed pass, with the
// query heads of a group as its rows.
#include <omp.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/check.hpp"
#include "kernels/cpu/attention.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"

namespace precis::cpu {

void decode_attention(Queue& queue, View out, ConstView q, ConstView key_blocks,
                      ConstView value_blocks, ConstView tables, ConstView lengths, double scale) {
  constexpr const char* kernel = "decode_attention";
  check_rank(kernel, "q", q, 3);
  check_rank(kernel, "key_blocks", key_blocks, 4);
  check_rank(kernel, "tables", tables, 2);
  const std::int64_t sequences = q.extent(0);
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t blocks = key_blocks.extent(0);
  const std::int64_t kv_heads = key_blocks.extent(1);
  const std::int64_t table_length = tables.extent(1);
  require(kv_heads > 0 && heads % kv_heads == 0,
          "Kernel {}: q has {} heads and the cache {}; expected a multiple.", kernel, heads,
          kv_heads);
  check_argument(kernel, "q", q, DType::f32, q.shape());
  check_argument(kernel, "out", out, DType::f32, q.shape());
  check_argument(kernel, "key_blocks", key_blocks, DType::f32,
                 {blocks, kv_heads, head_dim, attention_block});
  check_argument(kernel, "value_blocks", value_blocks, DType::f32,
                 {blocks, kv_heads, attention_block, head_dim});
  check_argument(kernel, "tables", tables, DType::i32, {sequences, table_length});
  check_argument(kernel, "lengths", lengths, DType::i32, {sequences});
  const auto* length = lengths.data<std::int32_t>();
  const auto* table = tables.data<std::int32_t>();
  for (std::int64_t b = 0; b < sequences; ++b) {
    require(length[b] >= 1 && length[b] <= table_length * attention_block,
            "Kernel {}: lengths[{}] is {}; expected a number from 1 to {}.", kernel, b, length[b],
            table_length * attention_block);
    for (std::int64_t m = 0; m * attention_block < length[b]; ++m) {
      const std::int32_t block = table[b * table_length + m];
      require(block >= 0 && block < blocks,
              "Kernel {}: tables[{}, {}] is {}; the cache has {} blocks.", kernel, b, m, block,
              blocks);
    }
  }

  const std::int64_t group = heads / kv_heads;
  const std::int64_t block_size = head_dim * attention_block;
  const std::int64_t rows_size = 2 * std::min(group, attention_rows) * head_dim;
  float* scratch = scratch_of(queue).of<float>(omp_get_max_threads() * rows_size);
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::int64_t b = 0; b < sequences; ++b) {
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      for (std::int64_t row = 0; row < group; row += attention_rows) {
        const std::int64_t place = (b * heads + head * group + row) * head_dim;
        attend({.out = out.data<float>() + place,
                .out_stride = head_dim,
                .log_sum = nullptr,
                .log_sum_stride = 0,
                .q = q.data<float>() + place,
                .q_stride = head_dim,
                .rows = std::min(group - row, attention_rows),
                .head_dim = head_dim,
                .scale = static_cast<float>(scale),
                .seen = length[b],
                .step = 0,
                .key_blocks = key_blocks.data<float>() + head * block_size,
                .value_blocks = value_blocks.data<float>() + head * block_size,
                .block_stride = kv_heads * block_size,
                .table = table + b * table_length,
                .scratch = scratch + omp_get_thread_num() * rows_size});
      }
    }
  }
}

}  // namespace precis::cpu
