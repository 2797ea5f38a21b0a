#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.hpp"
#include "kernels/reference/kernels.hpp"
#include "kernels/reference/softmax.hpp"

namespace precis::reference {
namespace {

double gumbel(const SamplingRule& rule, std::int64_t episode, std::int32_t position,
              std::uint32_t token) {
  const RandomBlock block =
      random_block(rule.seed, Purpose::sampling, static_cast<std::uint64_t>(episode),
                   static_cast<std::uint32_t>(position), token / 4);
  const auto x = static_cast<float>(block[token % 4] >> 1);
  const float u = std::min(x * 0x1p-31F + 0x1p-32F, 1.0F - 0x1p-24F);
  return -std::log(-std::log1p(-static_cast<double>(u)));
}

/// The tokens that top-k, then top-p leave, best first.
std::vector<std::uint32_t> kept_tokens(const std::vector<double>& z, const SamplingRule& rule) {
  std::vector<std::uint32_t> order(z.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return z[a] > z[b]; });
  if (rule.top_k > 0) {
    order.resize(std::min(order.size(), static_cast<std::size_t>(rule.top_k)));
  }
  if (rule.top_p < 1.0) {
    double total = 0.0;
    for (const std::uint32_t token : order) {
      total += std::exp(z[token] - z[order[0]]);
    }
    double mass = 0.0;
    std::size_t left = 0;
    do {
      mass += std::exp(z[order[left++]] - z[order[0]]);
    } while (left < order.size() && mass < rule.top_p * total);
    order.resize(left);
  }
  return order;
}

}  // namespace

void sample(Queue&, View tokens, View logprob, ConstView logits, ConstView episodes,
            ConstView positions, const SamplingRule& rule, SumParts parts) {
  const std::int64_t vocabulary = logits.extent(1);
  for (std::int64_t b = 0; b < logits.extent(0); ++b) {
    const bool is_greedy = rule.temperature == 0.0;
    const std::vector<double> z = tempered(logits.data<float>() + b * vocabulary, vocabulary,
                                           is_greedy ? 1.0 : rule.temperature);
    std::uint32_t choice = 0;
    double best = -std::numeric_limits<double>::infinity();
    const std::vector<double> sampled_logits(
        z.begin(), rule.sampled_vocabulary > 0
                       ? z.begin() + std::min(rule.sampled_vocabulary, vocabulary)
                       : z.end());
    for (const std::uint32_t token :
         kept_tokens(sampled_logits, is_greedy ? SamplingRule{} : rule)) {
      const double noise = is_greedy ? 0.0
                                     : gumbel(rule, episodes.data<std::int64_t>()[b],
                                              positions.data<std::int32_t>()[b], token);
      const double score = z[token] + noise;
      if (score > best || (score == best && token < choice)) {
        best = score;
        choice = token;
      }
    }
    tokens.data<std::int32_t>()[b] = static_cast<std::int32_t>(choice);
    logprob.data<float>()[b] = static_cast<float>(z[choice] - log_sum_exp_of(z, parts));
  }
}

void sample_part(Queue&, View candidates, ConstView logits, std::int64_t first, ConstView episodes,
                 ConstView positions, const SamplingRule& rule) {
  const std::int64_t vocabulary = logits.extent(1);
  const bool is_greedy = rule.temperature == 0.0;
  for (std::int64_t b = 0; b < logits.extent(0); ++b) {
    const std::vector<double> z = tempered(logits.data<float>() + b * vocabulary, vocabulary,
                                           is_greedy ? 1.0 : rule.temperature);
    double best = -std::numeric_limits<double>::infinity();
    std::int64_t choice = first;
    for (std::int64_t v = 0; v < vocabulary; ++v) {
      const std::int64_t token = first + v;
      if (rule.sampled_vocabulary > 0 && token >= rule.sampled_vocabulary) {
        break;
      }
      const double noise =
          is_greedy ? 0.0
                    : gumbel(rule, episodes.data<std::int64_t>()[b],
                             positions.data<std::int32_t>()[b], static_cast<std::uint32_t>(token));
      const double score = z[static_cast<std::size_t>(v)] + noise;
      if (score > best) {
        best = score;
        choice = token;
      }
    }
    candidates.data<double>()[2 * b] = best;
    candidates.data<double>()[2 * b + 1] = static_cast<double>(choice);
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

}  // namespace precis::reference
