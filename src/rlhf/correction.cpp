#include "rlhf/correction.hpp"

#include <algorithm>
#include <cmath>

namespace precis {
namespace {

/// Log-weights of the tokens of a response.
std::vector<double> log_weights(const Experience& e, CorrectionLevel level) {
  std::vector<double> logs;
  double sum = 0;
  for (std::size_t t = 0; t < e.policy_logprobs.size(); ++t) {
    logs.push_back(static_cast<double>(e.policy_logprobs[t]) -
                   static_cast<double>(e.episode.rollout_logprobs[t]));
    sum += logs.back();
  }
  if (level == CorrectionLevel::sequence) {
    std::ranges::fill(logs, sum);
  }
  return logs;
}

}  // namespace

CorrectionReport correct(std::vector<Experience>& batch, const PpoOptions& options) {
  CorrectionReport report;
  if (options.correction == Correction::none) {
    return report;
  }
  report.used = true;
  const double cap = options.correction_cap;
  const bool masks = options.correction == Correction::mask;
  double count = 0;
  for (Experience& e : batch) {
    const std::vector<double> logs = log_weights(e, options.correction_level);
    e.corrected_advantages.resize(logs.size());
    for (std::size_t t = 0; t < logs.size(); ++t) {
      const double weight = std::exp(logs[t]);
      const bool is_outside = weight > cap || (masks && weight < 1 / cap);
      const double clamped = !is_outside ? weight : masks ? 0.0 : cap;
      e.corrected_advantages[t] =
          static_cast<float>(static_cast<double>(e.advantages[t]) * clamped);
      if (t == 0 || options.correction_level == CorrectionLevel::token) {
        report.mean += weight;
        report.max = std::max(report.max, weight);
        report.clamped_fraction += is_outside ? 1 : 0;
        ++count;
      }
    }
  }
  report.mean /= count;
  report.clamped_fraction /= count;
  return report;
}

}  // namespace precis
