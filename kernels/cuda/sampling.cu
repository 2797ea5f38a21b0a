#include "kernels/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/philox.hpp"
#include "kernels/cuda/sampling_filter.hpp"
#include "kernels/cuda/vocabulary.hpp"

namespace precis::cuda {
namespace {

/// Gumbel noise from 32 random bits.
__device__ float gumbel(std::uint32_t word) {
  const auto x = static_cast<float>(word >> 1);
  const float u = fminf(fmaf(x, 0x1p-31F, 0x1p-32F), 1.0F - 0x1p-24F);
  return -logf(-log1pf(-u));
}

/// The token with the largest sum of tempered logit and noise(token / 4).x[token % 4] of those
/// whose key is at least `lowest`, ties to the lower id. 0 where every sum is minus infinity or not
/// a number: such a row's log-prob tells.
template <class Noise>
__device__ std::int64_t arg_max(const float* row, std::int64_t vocabulary, float temperature,
                                Key lowest, const Noise& noise) {
  Key best = key_of(-INFINITY, 0);
  for (std::int64_t i = threadIdx.x; 4 * i < vocabulary; i += row_threads) {
    const Quad quad = quad_of(row, vocabulary, i);
    bool kept[4];
    bool any = false;
    for (int j = 0; j < 4; ++j) {
      kept[j] = 4 * i + j < vocabulary && key_of(quad.x[j], 4 * i + j) >= lowest;
      any = any || kept[j];
    }
    if (!any) {
      continue;
    }
    const Quad g = noise(i);
    for (int j = 0; j < 4; ++j) {
      const float score = tempered(quad.x[j], temperature) + g.x[j];
      if (kept[j] && score > -INFINITY) {
        best = MaxOf()(best, key_of(score, 4 * i + j));
      }
    }
  }
  return token_of(over_block<row_threads>(best, MaxOf()));
}

__global__ void __launch_bounds__(row_threads)
    sample_rows(std::int32_t* tokens, float* logprob, const float* logits,
                const std::int64_t* episodes, const std::int32_t* positions,
                std::int64_t vocabulary, SamplingRule rule, RowParts parts) {
  const std::int64_t b = blockIdx.x;
  const float* row = logits + b * vocabulary;
  const bool is_greedy = rule.temperature == 0.0;
  const float temperature = is_greedy ? 1.0F : static_cast<float>(rule.temperature);
  const RowStatistics statistics = row_statistics(row, parts, temperature);
  const bool is_filtered = rule.top_k > 0 || rule.top_p < 1.0;
  const std::int64_t among = rule.sampled_vocabulary > 0 && rule.sampled_vocabulary < vocabulary
                                 ? rule.sampled_vocabulary
                                 : vocabulary;
  std::int64_t choice = 0;
  if (is_greedy) {
    choice = arg_max(row, among, 1.0F, 0, [](std::int64_t) { return Quad{}; });
  } else {
    Key lowest = 0;
    if (is_filtered) {
      const auto max = static_cast<float>(
          among == vocabulary ? statistics.max
                              : statistics_of(row_part<false>(row, among, temperature)).max);
      if (max > -INFINITY) {
        lowest = lowest_kept_key({row, among, temperature, max},
                                 reinterpret_cast<Mass*>(shared_memory()), rule.top_k, rule.top_p);
      }
    }
    const auto episode = static_cast<std::uint64_t>(episodes[b]);
    const auto position = static_cast<std::uint32_t>(positions[b]);
    choice = arg_max(row, among, temperature, lowest, [&](std::int64_t i) {
      const uint4 words = random_words(rule.seed, Purpose::sampling, episode, position,
                                       static_cast<std::uint32_t>(i));
      return Quad{{gumbel(words.x), gumbel(words.y), gumbel(words.z), gumbel(words.w)}};
    });
  }
  if (threadIdx.x == 0) {
    tokens[b] = static_cast<std::int32_t>(choice);
    logprob[b] = row_logprob(static_cast<double>(tempered(row[choice], temperature)), statistics);
  }
}

}  // namespace

void sample(Queue& queue, View tokens, View logprob, ConstView logits, ConstView episodes,
            ConstView positions, const SamplingRule& rule, SumParts parts) {
  constexpr const char* kernel = "sample";
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  check_that(vocabulary <= largest_vocabulary, kernel, "a vocabulary may have 2^22 tokens.");
  const bool is_filtered = rule.temperature > 0.0 && (rule.top_k > 0 || rule.top_p < 1.0);
  launch(queue, kernel, sample_rows,
         Grid{.blocks = rows,
              .threads = row_threads,
              .shared_bytes = is_filtered ? digits * static_cast<std::int64_t>(sizeof(Mass)) : 0},
         tokens.data<std::int32_t>(), logprob.data<float>(), logits.data<float>(),
         episodes.data<std::int64_t>(), positions.data<std::int32_t>(), vocabulary, rule,
         row_parts(kernel, parts, vocabulary));
}

}  // namespace precis::cuda
