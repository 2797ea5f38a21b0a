// Attention of one query a sequence over the KV cache: the row routine of the packed pass, with the
// query heads of a group as its rows.
#include <omp.h>

#include <algorithm>

#include "kernels/cpu/attention.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"

namespace precis::cpu {

void decode_attention(Queue& queue, View out, ConstView q, ConstView key_blocks,
                      ConstView value_blocks, ConstView tables, ConstView lengths, double scale) {
  const std::int64_t sequences = q.extent(0);
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = key_blocks.extent(1);
  const std::int64_t table_length = tables.extent(1);
  const auto* length = lengths.data<std::int32_t>();
  const auto* table = tables.data<std::int32_t>();

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
                .log_sum_exp = nullptr,
                .log_sum_exp_stride = 0,
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
