#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sampling.cpp"  // NOLINT
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>
#include <omp.h>

#include "base/random.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/sampling_filter.hpp"
#include "kernels/cpu/vocabulary-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

/// Tokens whose noise is made at a time.
inline constexpr std::int64_t chunk = 1024;

using Words = hn::ScalableTag<std::uint32_t>;
using WordVector = hn::Vec<Words>;

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE void random_words(std::uint32_t* words, std::uint64_t seed, std::uint64_t episode,
                             std::uint32_t position, std::uint32_t first_block) {
  for (std::uint32_t block = 0; block < chunk / 4; ++block) {
    const RandomBlock numbers =
        random_block(seed, Purpose::sampling, episode, position, first_block + block);
    std::copy(numbers.begin(), numbers.end(), words + static_cast<std::size_t>(block) * 4);
  }
}

#else

/// The upper and the lower halves of the products of x with `multiplier`.
HWY_INLINE void multiply(WordVector x, std::uint32_t multiplier, WordVector& high,
                         WordVector& low) {
  const Words d;
  const hn::RepartitionToWide<Words> wide;
  const auto m = hn::Set(d, multiplier);
  const auto even = hn::MulEven(x, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, x))), m);
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

/// words[0, chunk): random_block(seed, Purpose::sampling, episode, position, first_block + i) for i
/// = 0, 1, ..., one block a lane (Philox4x32-10, Salmon et al. 2011).
HWY_INLINE void random_words(std::uint32_t* words, std::uint64_t seed, std::uint64_t episode,
                             std::uint32_t position, std::uint32_t first_block) {
  const Words d;
  const auto lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  for (std::uint32_t block = 0; block < chunk / 4; block += lanes) {
    auto c0 = hn::Iota(d, first_block + block);
    auto c1 = hn::Set(d, position);
    auto c2 = hn::Set(d, static_cast<std::uint32_t>(episode));
    auto c3 = hn::Set(d, static_cast<std::uint32_t>(episode >> 32) |
                             static_cast<std::uint32_t>(Purpose::sampling) << 16);
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      WordVector high0;
      WordVector low0;
      WordVector high1;
      WordVector low1;
      multiply(c0, 0xD2511F53U, high0, low0);
      multiply(c2, 0xCD9E8D57U, high1, low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, k0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, k1));
      c3 = low0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, words + static_cast<std::size_t>(block) * 4);
  }
}

#endif

/// scores = logits / temperature + Gumbel noise from words; up to `chunk` tokens.
HWY_INLINE void noisy_scores(float* scores, const float* logits, const std::uint32_t* words,
                             std::int64_t n, float temperature) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  std::int64_t i = 0;
  for_each_vector(logits, n, 0.0F, [&](FloatVector logit) HWY_ATTR {
    const auto word = hn::ShiftRight<1>(hn::Load(Words(), words + i));
    const auto x = hn::ConvertTo(d, hn::BitCast(integers, word));
    const auto u = hn::Min(hn::MulAdd(x, hn::Set(d, 0x1p-31F), hn::Set(d, 0x1p-32F)),
                           hn::Set(d, 1.0F - 0x1p-24F));
    const auto exponential = hn::Neg(hn::Log1p(d, hn::Neg(u)));
    const auto score = hn::Sub(tempered(logit, temperature), hn::Log(d, exponential));
    hn::Store(score, d, scores + i);
    i += float_lanes();
  });
}

/// The best place seen so far, and its score; places are offered in rising order, so that ties go
/// to the lower.
class ArgMax {
 public:
  HWY_INLINE void offer(const float* scores, std::int64_t n, std::int64_t first) {
    const float max = row_max(scores, n);
    if (max > score_) {
      score_ = max;
      place_ = first + (std::find(scores, scores + n, max) - scores);
    }
  }
  /// 0 where every score is minus infinity or not a number: such a row's log-prob tells.
  [[nodiscard]] std::int64_t place() const { return place_; }
  [[nodiscard]] float score() const { return score_; }

 private:
  float score_ = -std::numeric_limits<float>::infinity();
  std::int64_t place_ = 0;
};

/// From `count` logits, those from token `first` on; places count from 0.
HWY_INLINE ArgMax draw_from_all(const float* logits, std::int64_t count, std::int64_t first,
                                std::uint64_t episode, std::uint32_t position,
                                const SamplingRule& rule) {
  HWY_ALIGN std::uint32_t words[chunk];
  HWY_ALIGN float scores[chunk];
  ArgMax best;
  std::int64_t size = 0;
  for (std::int64_t begin = 0; begin < count; begin += size) {
    // Only the first chunk may begin within a block of four words.
    const std::int64_t token = first + begin;
    const std::int64_t skipped = token % 4;
    size = std::min(chunk - skipped, count - begin);
    random_words(words, rule.seed, episode, position, static_cast<std::uint32_t>(token / 4));
    if (skipped > 0) {
      std::copy(words + skipped, words + chunk, words);
    }
    noisy_scores(scores, logits + begin, words, size, static_cast<float>(rule.temperature));
    best.offer(scores, size, begin);
  }
  return best;
}

HWY_INLINE std::int64_t draw_from_kept(const float* logits, const std::vector<std::int32_t>& kept,
                                       std::uint64_t episode, std::uint32_t position,
                                       const SamplingRule& rule) {
  HWY_ALIGN std::uint32_t words[chunk];
  HWY_ALIGN float kept_logits[chunk];
  HWY_ALIGN float scores[chunk];
  ArgMax best;
  const auto size = static_cast<std::int64_t>(kept.size());
  for (std::int64_t begin = 0; begin < size; begin += chunk) {
    const std::int64_t count = std::min(chunk, size - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto token = static_cast<std::uint32_t>(kept[static_cast<std::size_t>(begin + i)]);
      words[i] =
          random_block(rule.seed, Purpose::sampling, episode, position, token / 4)[token % 4];
      kept_logits[i] = logits[token];
    }
    noisy_scores(scores, kept_logits, words, count, static_cast<float>(rule.temperature));
    best.offer(scores, count, begin);
  }
  return kept[static_cast<std::size_t>(best.place())];
}

void sample_row(std::int32_t* token, float* logprob, const float* logits, std::int64_t vocabulary,
                std::uint64_t episode, std::uint32_t position, const SamplingRule& rule,
                SumParts parts, FilterScratch& scratch) {
  const bool is_greedy = rule.temperature == 0.0;
  const float temperature = is_greedy ? 1.0F : static_cast<float>(rule.temperature);
  const RowStatistics statistics = row_statistics(logits, vocabulary, temperature, parts);
  const std::int64_t among =
      rule.sampled_vocabulary > 0 ? std::min(rule.sampled_vocabulary, vocabulary) : vocabulary;
  const bool is_filtered = (rule.top_k > 0 && rule.top_k < among) || rule.top_p < 1.0;
  std::int64_t choice = 0;
  if (is_greedy) {
    ArgMax best;
    best.offer(logits, among, 0);
    choice = best.place();
  } else if (is_filtered) {
    const RowStatistics of_drawn =
        among == vocabulary ? statistics : row_statistics(logits, among, temperature, {});
    keep_tokens(scratch, logits, among, temperature, of_drawn.max, of_drawn.sum, rule.top_k,
                rule.top_p);
    choice = draw_from_kept(logits, scratch.kept, episode, position, rule);
  } else {
    choice = draw_from_all(logits, among, 0, episode, position, rule).place();
  }
  *token = static_cast<std::int32_t>(choice);
  *logprob = row_logprob(static_cast<double>(logits[choice] / temperature), statistics);
}

void sample_part_of_row(double* candidate, const float* logits, std::int64_t vocabulary,
                        std::int64_t first, std::uint64_t episode, std::uint32_t position,
                        const SamplingRule& rule) {
  const std::int64_t among =
      rule.sampled_vocabulary > 0
          ? std::clamp(rule.sampled_vocabulary - first, std::int64_t{0}, vocabulary)
          : vocabulary;
  ArgMax best;
  if (rule.temperature == 0.0) {
    best.offer(logits, among, 0);
  } else {
    best = draw_from_all(logits, among, first, episode, position, rule);
  }
  candidate[0] = static_cast<double>(best.score());
  candidate[1] = static_cast<double>(first + best.place());
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {

HWY_EXPORT(sample_row);
HWY_EXPORT(sample_part_of_row);

void sample(Queue&, View tokens, View logprob, ConstView logits, ConstView episodes,
            ConstView positions, const SamplingRule& rule, SumParts parts) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(sample_row);
  // All memory is allocated before the threads start, where running out of it is an error with a
  // message.
  std::vector<FilterScratch> scratch(static_cast<std::size_t>(omp_get_max_threads()));
  if (rule.top_k > 0 || rule.top_p < 1.0) {
    for (FilterScratch& of_thread : scratch) {
      of_thread.heap.reserve(static_cast<std::size_t>(vocabulary));
      of_thread.kept.reserve(static_cast<std::size_t>(vocabulary));
    }
  }
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t b = 0; b < rows; ++b) {
    row(tokens.data<std::int32_t>() + b, logprob.data<float>() + b,
        logits.data<float>() + b * vocabulary, vocabulary,
        static_cast<std::uint64_t>(episodes.data<std::int64_t>()[b]),
        static_cast<std::uint32_t>(positions.data<std::int32_t>()[b]), rule, parts,
        scratch[static_cast<std::size_t>(omp_get_thread_num())]);
  }
}

void sample_part(Queue&, View candidates, ConstView logits, std::int64_t first, ConstView episodes,
                 ConstView positions, const SamplingRule& rule) {
  const std::int64_t rows = logits.extent(0);
  const std::int64_t vocabulary = logits.extent(1);
  const auto row = &HWY_DYNAMIC_DISPATCH(sample_part_of_row);
#pragma omp parallel for schedule(static) if (rows > 1)
  for (std::int64_t b = 0; b < rows; ++b) {
    row(candidates.data<double>() + 2 * b, logits.data<float>() + b * vocabulary, vocabulary, first,
        static_cast<std::uint64_t>(episodes.data<std::int64_t>()[b]),
        static_cast<std::uint32_t>(positions.data<std::int32_t>()[b]), rule);
  }
}

void sample_join(Queue&, View tokens, ConstView candidates) {
  const std::int64_t rows = candidates.extent(1);
  for (std::int64_t b = 0; b < rows; ++b) {
    const double* best = candidates.data<double>() + 2 * b;
    for (std::int64_t share = 1; share < candidates.extent(0); ++share) {
      const double* const other = candidates.data<double>() + 2 * (share * rows + b);
      best = other[0] > best[0] ? other : best;
    }
    tokens.data<std::int32_t>()[b] = static_cast<std::int32_t>(best[1]);
  }
}

}  // namespace precis::cpu
#endif
