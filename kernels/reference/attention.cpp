// Causal attention inside each sequence, by its formula.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void attention_forward(Queue&, View out, View log_sum_exp, ConstView q, ConstView k, ConstView v,
                       ConstView offsets, double scale) {
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = k.extent(1);
  // Tokens outside of all sequences are zero.
  std::fill_n(out.data<float>(), out.numel(), 0.0F);
  std::fill_n(log_sum_exp.data<float>(), log_sum_exp.numel(), 0.0F);
  const auto* starts = offsets.data<std::int32_t>();
  for (std::int64_t b = 0; b + 1 < offsets.numel(); ++b) {
    for (std::int64_t i = starts[b]; i < starts[b + 1]; ++i) {
      for (std::int64_t head = 0; head < heads; ++head) {
        const std::int64_t kv_head = head / (heads / kv_heads);
        const float* qi = q.data<float>() + (i * heads + head) * head_dim;
        std::vector<double> scores;
        for (std::int64_t j = starts[b]; j <= i; ++j) {
          const float* kj = k.data<float>() + (j * kv_heads + kv_head) * head_dim;
          double score = 0.0;
          for (std::int64_t d = 0; d < head_dim; ++d) {
            score += static_cast<double>(qi[d]) * static_cast<double>(kj[d]);
          }
          scores.push_back(scale * score);
        }
        const double max = *std::max_element(scores.begin(), scores.end());
        double sum = 0.0;
        for (const double score : scores) {
          sum += std::exp(score - max);
        }
        const double total = max + std::log(sum);
        log_sum_exp.data<float>()[i * heads + head] = static_cast<float>(total);
        for (std::int64_t d = 0; d < head_dim; ++d) {
          double value = 0.0;
          for (std::int64_t j = starts[b]; j <= i; ++j) {
            const double p = std::exp(scores[static_cast<std::size_t>(j - starts[b])] - total);
            value += p * v.data<float>()[(j * kv_heads + kv_head) * head_dim + d];
          }
          out.data<float>()[(i * heads + head) * head_dim + d] = static_cast<float>(value);
        }
      }
    }
  }
}

}  // namespace precis::reference
