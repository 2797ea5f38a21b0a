#include "rlhf/batch_report.hpp"

#include <cmath>

#include "rlhf/kl_estimate.hpp"
#include "rlhf/mean_and_variance.hpp"

namespace precis {
namespace {

/// Nats a response.
double kl_of(const BatchReport& report, KlEstimator estimator) {
  switch (estimator) {
    case KlEstimator::k1:
      break;
    case KlEstimator::k3:
      return report.kl_k3;
    case KlEstimator::exact:
      return report.kl_exact;
  }
  return report.kl_k1;
}

}  // namespace

BatchReport report_of(std::span<const Experience> batch, double kl_coefficient,
                      KlEstimator estimator) {
  BatchReport out;
  const auto episodes = static_cast<double>(batch.size());
  double tokens = 0;
  double score = 0;
  for (const Experience& e : batch) {
    for (std::size_t t = 0; t < e.logprobs.size(); ++t) {
      const double gap = std::abs(static_cast<double>(e.episode.rollout_logprobs[t]) -
                                  static_cast<double>(e.policy_logprobs[t]));
      out.kl_k1 += kl_estimate(e, t, KlEstimator::k1);
      out.kl_k3 += kl_estimate(e, t, KlEstimator::k3);
      out.kl_exact += kl_estimate(e, t, KlEstimator::exact);
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
  out.rlhf_reward = score / episodes - kl_coefficient * kl_of(out, estimator);

  const MeanAndVariance scores = mean_and_variance([&](auto&& visit) {
    for (const Experience& e : batch) {
      visit(static_cast<double>(e.episode.score_raw));
    }
  });
  out.score_mean = scores.mean;
  out.score_std = std::sqrt(scores.variance);

  const auto over_tokens = [&](auto&& number) {
    return mean_and_variance([&](auto&& visit) {
      for (const Experience& e : batch) {
        for (std::size_t t = 0; t < e.returns.size(); ++t) {
          visit(number(e, t));
        }
      }
    });
  };
  const MeanAndVariance residual = over_tokens([](const Experience& e, std::size_t t) {
    return static_cast<double>(e.returns[t]) - static_cast<double>(e.values[t]);
  });
  const double total = over_tokens([](const Experience& e, std::size_t t) {
                         return static_cast<double>(e.returns[t]);
                       }).variance;
  out.explained_variance = total > 0 ? 1.0 - residual.variance / total : 0.0;
  out.value_loss = 0.5 * (residual.variance + residual.mean * residual.mean);
  return out;
}

}  // namespace precis
