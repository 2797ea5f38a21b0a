// Writing and copying blocks of the KV cache, number by number.
#include <algorithm>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void rotary_kv_write(Queue& queue, View key_blocks, View value_blocks, View q, View k, ConstView v,
                     ConstView positions, ConstView slots, const RotaryRule& rule) {
  if (rule.dims > 0) {
    rotary(queue, q, k, positions, rule, Rotation::forward);
  }
  const std::int64_t kv_heads = k.extent(1);
  const std::int64_t head_dim = k.extent(2);
  for (std::int64_t n = 0; n < k.extent(0); ++n) {
    const std::int64_t slot = slots.data<std::int32_t>()[n];
    const std::int64_t block = slot / attention_block;
    const std::int64_t place = slot % attention_block;
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      for (std::int64_t d = 0; d < head_dim; ++d) {
        const std::int64_t from = (n * kv_heads + head) * head_dim + d;
        const std::int64_t base = block * kv_heads + head;
        key_blocks.data<float>()[(base * head_dim + d) * attention_block + place] =
            k.data<float>()[from];
        value_blocks.data<float>()[(base * attention_block + place) * head_dim + d] =
            v.data<float>()[from];
      }
    }
  }
}

void kv_copy_block(Queue&, View key_blocks, View value_blocks, std::int64_t from, std::int64_t to) {
  for (const View& blocks : {key_blocks, value_blocks}) {
    const std::int64_t size = blocks.shape().row_numel();
    float* data = blocks.data<float>();
    if (from != to) {
      std::copy_n(data + from * size, size, data + to * size);
    }
  }
}

}  // namespace precis::reference
