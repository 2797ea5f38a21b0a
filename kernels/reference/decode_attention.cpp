// Attention of one query a sequence over the KV cache, by its formula.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void decode_attention(Queue&, View out, ConstView q, ConstView key_blocks, ConstView value_blocks,
                      ConstView tables, ConstView lengths, double scale) {
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = key_blocks.extent(1);
  for (std::int64_t b = 0; b < q.extent(0); ++b) {
    const std::int64_t length = lengths.data<std::int32_t>()[b];
    const auto* table = tables.data<std::int32_t>() + b * tables.extent(1);
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t kv_head = head / (heads / kv_heads);
      const std::int64_t row = (b * heads + head) * head_dim;
      std::vector<double> p;
      for (std::int64_t j = 0; j < length; ++j) {
        const std::int64_t base = table[j / attention_block] * kv_heads + kv_head;
        double score = 0.0;
        for (std::int64_t d = 0; d < head_dim; ++d) {
          const std::int64_t place = (base * head_dim + d) * attention_block + j % attention_block;
          score += static_cast<double>(q.data<float>()[row + d]) *
                   static_cast<double>(key_blocks.data<float>()[place]);
        }
        p.push_back(scale * score);
      }
      const double max = *std::max_element(p.begin(), p.end());
      double sum = 0.0;
      for (double& value : p) {
        value = std::exp(value - max);
        sum += value;
      }
      for (std::int64_t d = 0; d < head_dim; ++d) {
        double value = 0.0;
        for (std::int64_t j = 0; j < length; ++j) {
          const std::int64_t base = table[j / attention_block] * kv_heads + kv_head;
          const std::int64_t place = (base * attention_block + j % attention_block) * head_dim + d;
          value += p[static_cast<std::size_t>(j)] *
                   static_cast<double>(value_blocks.data<float>()[place]);
        }
        out.data<float>()[row + d] = static_cast<float>(value / sum);
      }
    }
  }
}

}  // namespace precis::reference
