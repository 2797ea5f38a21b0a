// Which tokens top-k and top-p leave.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace precis::cpu {

/// Memory that the filters of one thread use again for each row.
struct FilterScratch {
  std::vector<std::uint64_t> heap;
  std::vector<std::int32_t> kept;
};

/// Orders tokens by falling logit, ties by rising id: the larger number comes first.
inline std::uint64_t filter_key(float logit, std::int64_t token) {
  // Adding 0 makes a zero of either sign the same. Negative floats order by falling bits.
  const auto bits = std::bit_cast<std::uint32_t>(logit + 0.0F);
  const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(ordered) << 32 |
         (0xffffffffU - static_cast<std::uint32_t>(token));
}

/// Fills scratch.kept with the tokens, in rising order, that are left of a row by the `top_k`
/// largest (0: all) and then by the shortest beginning of these, in falling order, that holds
/// `top_p` of their probability; at least one. With z the logits divided by temperature, max is the
/// largest z and sum that of exp(z - max).
inline void keep_tokens(FilterScratch& scratch, const float* logits, std::int64_t vocabulary,
                        float temperature, double max, double sum, std::int64_t top_k,
                        double top_p) {
  auto& heap = scratch.heap;
  auto& kept = scratch.kept;
  heap.resize(static_cast<std::size_t>(vocabulary));
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    heap[static_cast<std::size_t>(v)] = filter_key(logits[v], v);
  }
  std::make_heap(heap.begin(), heap.end());
  kept.clear();
  const auto keep_next = [&] {
    std::pop_heap(heap.begin(), heap.end());
    kept.push_back(
        static_cast<std::int32_t>(0xffffffffU - static_cast<std::uint32_t>(heap.back())));
    heap.pop_back();
  };
  const auto weight = [&](std::int32_t token) {
    return std::exp(static_cast<double>(logits[token] / temperature) - max);
  };

  double total = sum;
  if (top_k > 0) {
    total = 0.0;
    const auto k = static_cast<std::size_t>(std::min(top_k, vocabulary));
    while (kept.size() < k) {
      keep_next();
      total += weight(kept.back());
    }
    heap.clear();
  }
  if (top_p < 1.0) {
    double mass = 0.0;
    std::size_t left = 0;
    do {
      if (left == kept.size()) {
        keep_next();
      }
      mass += weight(kept[left++]);
    } while (mass < top_p * total && (left < kept.size() || !heap.empty()));
    kept.resize(left);
  }
  std::sort(kept.begin(), kept.end());
}

}  // namespace precis::cpu
