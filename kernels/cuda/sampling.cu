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

/// The key of the token with the largest sum of tempered logit and noise(token / 4).x[token % 4] of
/// those whose key is at least `lowest`, ties to the lower id. Minus infinity and token 0 where
/// every sum is minus infinity or not a number: such a row's log-prob tells.
template <class Noise>
__device__ Key arg_max(const float* row, std::int64_t vocabulary, float temperature, Key lowest,
                       const Noise& noise) {
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
  return over_block<row_threads>(best, MaxOf());
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
    choice = token_of(arg_max(row, among, 1.0F, 0, [](std::int64_t) { return Quad{}; }));
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
    choice = token_of(arg_max(row, among, temperature, lowest, [&](std::int64_t i) {
      const uint4 words = random_words(rule.seed, Purpose::sampling, episode, position,
                                       static_cast<std::uint32_t>(i));
      return Quad{{gumbel(words.x), gumbel(words.y), gumbel(words.z), gumbel(words.w)}};
    }));
  }
  if (threadIdx.x == 0) {
    tokens[b] = static_cast<std::int32_t>(choice);
    logprob[b] = row_logprob(static_cast<double>(tempered(row[choice], temperature)), statistics);
  }
}

/// A row's candidate of a share of the vocabulary.
__global__ void __launch_bounds__(row_threads)
    sample_row_parts(double* candidates, const float* logits, std::int64_t first,
                     const std::int64_t* episodes, const std::int32_t* positions,
                     std::int64_t vocabulary, std::int64_t among, SamplingRule rule) {
  const std::int64_t b = blockIdx.x;
  const float* row = logits + b * vocabulary;
  Key best = 0;
  if (rule.temperature == 0.0) {
    best = arg_max(row, among, 1.0F, 0, [](std::int64_t) { return Quad{}; });
  } else {
    const auto episode = static_cast<std::uint64_t>(episodes[b]);
    const auto position = static_cast<std::uint32_t>(positions[b]);
    const auto skipped = static_cast<int>(first % 4);
    best = arg_max(row, among, static_cast<float>(rule.temperature), 0, [&](std::int64_t i) {
      // Four tokens of the share may lie in two blocks of the vocabulary's words.
      const auto block = static_cast<std::uint32_t>(first / 4 + i);
      const uint4 low = random_words(rule.seed, Purpose::sampling, episode, position, block);
      const uint4 high =
          skipped == 0 ? low
                       : random_words(rule.seed, Purpose::sampling, episode, position, block + 1);
      const std::uint32_t words[8]{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      Quad noise;
      for (int j = 0; j < 4; ++j) {
        noise.x[j] = gumbel(words[skipped + j]);
      }
      return noise;
    });
  }
  if (threadIdx.x == 0) {
    candidates[2 * b] = static_cast<double>(logit_of(best));
    candidates[2 * b + 1] = static_cast<double>(first + token_of(best));
  }
}

inline constexpr int join_threads = 128;

/// A thread a row.
__global__ void __launch_bounds__(join_threads)
    join_candidates(std::int32_t* tokens, const double* candidates, std::int64_t rows,
                    std::int64_t shares) {
  const std::int64_t b = blockIdx.x * std::int64_t{join_threads} + threadIdx.x;
  if (b >= rows) {
    return;
  }
  const double* best = candidates + 2 * b;
  for (std::int64_t share = 1; share < shares; ++share) {
    const double* other = candidates + 2 * (share * rows + b);
    best = other[0] > best[0] ? other : best;
  }
  tokens[b] = static_cast<std::int32_t>(best[1]);
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

void sample_part(Queue& queue, View candidates, ConstView logits, std::int64_t first,
                 ConstView episodes, ConstView positions, const SamplingRule& rule) {
  constexpr const char* kernel = "sample_part";
  const std::int64_t vocabulary = logits.extent(1);
  check_that(vocabulary <= largest_vocabulary, kernel, "a vocabulary may have 2^22 tokens.");
  const std::int64_t among =
      rule.sampled_vocabulary > 0
          ? std::clamp(rule.sampled_vocabulary - first, std::int64_t{0}, vocabulary)
          : vocabulary;
  launch(queue, kernel, sample_row_parts, Grid{.blocks = logits.extent(0), .threads = row_threads},
         candidates.data<double>(), logits.data<float>(), first, episodes.data<std::int64_t>(),
         positions.data<std::int32_t>(), vocabulary, among, rule);
}

void sample_join(Queue& queue, View tokens, ConstView candidates) {
  const std::int64_t rows = candidates.extent(1);
  launch(queue, "sample_join", join_candidates,
         Grid{.blocks = blocks_for(rows, join_threads), .threads = join_threads},
         tokens.data<std::int32_t>(), candidates.data<double>(), rows, candidates.extent(0));
}

}  // namespace precis::cuda
