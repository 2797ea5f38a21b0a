#include "rlhf/experience.hpp"

#include <algorithm>
#include <cmath>

#include "io/jsonl.hpp"
#include "rlhf/gae.hpp"

namespace precis {
namespace {

/// Sum, and sum of squared differences from the mean, in two passes.
struct Moments {
  double mean = 0;
  double variance = 0;  // biased
};

template <class Visit>
Moments moments(Visit&& for_each) {
  double sum = 0;
  double count = 0;
  for_each([&](double x) {
    sum += x;
    ++count;
  });
  Moments out;
  if (count == 0) {
    return out;
  }
  out.mean = sum / count;
  double squares = 0;
  for_each([&](double x) { squares += (x - out.mean) * (x - out.mean); });
  out.variance = squares / count;
  return out;
}

}  // namespace

float score_of(const Episode& episode, const PpoOptions& options) {
  if (episode.ended || options.missing_end == MissingEnd::none) {
    return episode.score_raw;
  }
  const auto value = static_cast<float>(options.missing_end_value);
  return options.missing_end == MissingEnd::replace ? value : episode.score_raw + value;
}

void assign_rewards(Experience& e, const PpoOptions& options, double kl_coefficient) {
  const std::size_t length = e.episode.response.size();
  e.score = score_of(e.episode, options);
  e.rewards.resize(length);
  for (std::size_t t = 0; t < length; ++t) {
    const double kl =
        static_cast<double>(e.logprobs[t]) - static_cast<double>(e.episode.reference_logprobs[t]);
    const double score = t + 1 == length ? static_cast<double>(e.score) : 0.0;
    e.rewards[t] = static_cast<float>(-kl_coefficient * kl + score);
  }
  const std::vector<double> discounts(length, options.gamma);
  Advantages of = generalized_advantages(e.rewards, e.values, discounts, options.lambda, 0.0);
  e.advantages = std::move(of.advantages);
  e.returns = std::move(of.returns);
}

std::vector<Experience> whole_batch(RankGroup& ranks, std::span<const Experience> mine) {
  Bytes message;
  for (const Experience& experience : mine) {
    const Bytes packed = pack(experience);
    message.insert(message.end(), packed.begin(), packed.end());
  }
  std::vector<Experience> batch;
  for (const Bytes& part : ranks.all_gather(message)) {
    std::span<const std::byte> rest(part);
    while (!rest.empty()) {
      unpack(rest, batch.emplace_back());
    }
  }
  return batch;
}

void whiten(std::span<Experience> batch) {
  const Moments of = moments([&](auto&& visit) {
    for (const Experience& e : batch) {
      for (const float advantage : e.advantages) {
        visit(static_cast<double>(advantage));
      }
    }
  });
  const double scale = 1.0 / std::sqrt(of.variance + 1e-8);
  for (Experience& e : batch) {
    for (float& advantage : e.advantages) {
      advantage = static_cast<float>((static_cast<double>(advantage) - of.mean) * scale);
    }
  }
}

double next_kl_coefficient(double coefficient, double kl, const PpoOptions& options) {
  if (options.kl_target <= 0) {
    return coefficient;
  }
  const double error = std::clamp(kl / options.kl_target - 1.0, -0.2, 0.2);
  return coefficient * (1.0 + error * static_cast<double>(options.batch) / options.kl_horizon);
}

BatchReport report_of(std::span<const Experience> batch, double kl_coefficient) {
  BatchReport out;
  const auto episodes = static_cast<double>(batch.size());
  double tokens = 0;
  double score = 0;
  for (const Experience& e : batch) {
    for (std::size_t t = 0; t < e.logprobs.size(); ++t) {
      const double logprob = static_cast<double>(e.logprobs[t]);
      const double k1 = logprob - static_cast<double>(e.episode.reference_logprobs[t]);
      const double gap = std::abs(static_cast<double>(e.episode.rollout_logprobs[t]) - logprob);
      out.kl_k1 += k1;
      out.kl_k3 += std::expm1(-k1) + k1;
      out.kl_exact += static_cast<double>(e.exact_kls[t]);
      out.entropy += static_cast<double>(e.entropies[t]);
      out.logprob_gap_mean += gap;
      // Unlike std::max, this lets a NaN through, whatever follows it.
      if (!std::isnan(out.logprob_gap_max) && !(gap <= out.logprob_gap_max)) {
        out.logprob_gap_max = gap;
      }
    }
    tokens += static_cast<double>(e.logprobs.size());
    score += static_cast<double>(e.score);
    out.ended_fraction += e.episode.ended ? 1 : 0;
  }
  out.kl_k1 /= episodes;
  out.kl_k3 /= episodes;
  out.kl_exact /= episodes;
  out.entropy /= tokens;
  out.logprob_gap_mean /= tokens;
  out.response_tokens_mean = tokens / episodes;
  out.ended_fraction /= episodes;
  out.rlhf_reward = score / episodes - kl_coefficient * out.kl_k1;

  const Moments scores = moments([&](auto&& visit) {
    for (const Experience& e : batch) {
      visit(static_cast<double>(e.episode.score_raw));
    }
  });
  out.score_mean = scores.mean;
  out.score_std = std::sqrt(scores.variance);

  const auto over_tokens = [&](auto&& number) {
    return moments([&](auto&& visit) {
      for (const Experience& e : batch) {
        for (std::size_t t = 0; t < e.returns.size(); ++t) {
          visit(number(e, t));
        }
      }
    });
  };
  const Moments residual = over_tokens([](const Experience& e, std::size_t t) {
    return static_cast<double>(e.returns[t]) - static_cast<double>(e.values[t]);
  });
  const double total = over_tokens([](const Experience& e, std::size_t t) {
                         return static_cast<double>(e.returns[t]);
                       }).variance;
  out.explained_variance = total > 0 ? 1.0 - residual.variance / total : 0.0;
  out.value_loss = 0.5 * (residual.variance + residual.mean * residual.mean);
  return out;
}

Row episode_row(const Experience& e, std::int64_t step, const std::string& prompt_id,
                double kl_coefficient, const std::vector<std::int64_t>& minibatch) {
  return {{"step", step},
          {"episode", e.episode.number},
          {"prompt_id", prompt_id},
          {"prompt_ids", e.episode.query},
          {"response_ids", e.episode.response},
          {"finish", e.episode.ended ? "eos" : "length"},
          {"rollout_logprobs", float_array(e.episode.rollout_logprobs)},
          {"logprobs", float_array(e.logprobs)},
          {"reference_logprobs", float_array(e.episode.reference_logprobs)},
          {"values", float_array(e.values)},
          {"score_raw", shortest(e.episode.score_raw)},
          {"score", shortest(e.score)},
          {"kl_coefficient", kl_coefficient},
          {"rewards", float_array(e.rewards)},
          {"advantages", float_array(e.advantages)},
          {"returns", float_array(e.returns)},
          {"weight_version", e.episode.weight_version},
          {"minibatch", minibatch}};
}

}  // namespace precis
