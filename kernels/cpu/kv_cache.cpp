// Writing and copying blocks of the KV cache.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/rotary.hpp"

namespace precis::cpu {

void rotary_kv_write(Queue& queue, View key_blocks, View value_blocks, View q, View k, ConstView v,
                     ConstView positions, ConstView slots, const RotaryRule& rule) {
  const std::int64_t tokens = k.extent(0);
  const std::int64_t kv_heads = k.extent(1);
  const std::int64_t head_dim = k.extent(2);
  const auto* places = slots.data<std::int32_t>();
  if (rule.dims != 0) {
    rotate(queue, q, k, positions, rule, Rotation::forward);
  }
  float* keys = key_blocks.data<float>();
  float* values = value_blocks.data<float>();
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < tokens; ++n) {
    const std::int64_t block = places[n] / attention_block;
    const std::int64_t place = places[n] % attention_block;
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      const std::int64_t base = (block * kv_heads + head) * head_dim * attention_block;
      const std::int64_t from = (n * kv_heads + head) * head_dim;
      const float* key = k.data<float>() + from;
      for (std::int64_t i = 0; i < head_dim; ++i) {
        keys[base + i * attention_block + place] = key[i];
      }
      std::copy_n(v.data<float>() + from, head_dim, values + base + place * head_dim);
    }
  }
}

void kv_copy_block(Queue&, View key_blocks, View value_blocks, std::int64_t from, std::int64_t to) {
  for (const View& blocks : {key_blocks, value_blocks}) {
    const View target = blocks.rows(to, to + 1);
    std::memmove(target.bytes(), blocks.rows(from, from + 1).bytes(),
                 static_cast<std::size_t>(target.size_bytes()));
  }
}

}  // namespace precis::cpu
