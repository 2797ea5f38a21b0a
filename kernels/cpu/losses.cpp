#include <algorithm>
#include <cmath>

#include "kernels/cpu/kernels.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::cpu {
namespace {

/// Sums of one call, a list of `Sum`s.
template <class Sum>
class Sums {
 public:
  explicit Sums(View words) : words_(words.data<std::int64_t>()) {}
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;
  ~Sums() {
    for (int which = 0; which < static_cast<int>(Sum::count); ++which) {
      carry_exact_sum(at(static_cast<Sum>(which)));
    }
  }
  void add(Sum which, double x) { add_exactly(at(which), x); }

 private:
  [[nodiscard]] std::int64_t* at(Sum which) const {
    return words_ + static_cast<std::int64_t>(which) * exact_sum_words;
  }
  std::int64_t* words_;
};

/// The larger, or the one that is not a number.
double max_or_nan(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

}  // namespace

// A few thousand tokens per batch: one thread.

void ppo_policy_loss(Queue&, View dlogprob, View sums, View ratio_max, ConstView logprob,
                     ConstView old_logprob, ConstView advantages, double clip, double weight) {
  Sums<PolicySum> totals(sums);
  double& largest = *ratio_max.data<double>();
  const std::int64_t count = logprob.numel();
  for (std::int64_t p = 0; p < count; ++p) {
    const double change = static_cast<double>(logprob.data<float>()[p]) -
                          static_cast<double>(old_logprob.data<float>()[p]);
    const double advantage = advantages.data<float>()[p];
    const double ratio = std::exp(change);
    const double unclipped = -advantage * ratio;
    const double clipped =
        clip == 0.0 ? unclipped : -advantage * std::clamp(ratio, 1.0 - clip, 1.0 + clip);
    const bool is_clipped = clipped > unclipped;
    // Where the clipped term is larger the ratio is outside its bounds: the loss is flat.
    dlogprob.data<float>()[p] = is_clipped ? 0.0F : static_cast<float>(weight * unclipped);
    totals.add(PolicySum::loss, is_clipped ? clipped : unclipped);
    totals.add(PolicySum::clipped, is_clipped ? 1.0 : 0.0);
    totals.add(PolicySum::ratio, ratio);
    largest = max_or_nan(largest, ratio);
    totals.add(PolicySum::squared_change, 0.5 * change * change);
  }
}

void ppo_value_loss(Queue&, View dvalues, View sums, ConstView values, ConstView old_values,
                    ConstView returns, double clip, double weight) {
  Sums<ValueSum> totals(sums);
  const std::int64_t count = values.numel();
  for (std::int64_t p = 0; p < count; ++p) {
    const double value = values.data<float>()[p];
    const double old_value = old_values.data<float>()[p];
    const double target = returns.data<float>()[p];
    const double change = value - old_value;
    const bool is_within = clip == 0.0 || std::abs(change) <= clip;
    const double near_value = is_within ? value : old_value + std::clamp(change, -clip, clip);
    const double unclipped = (value - target) * (value - target);
    const double clipped = (near_value - target) * (near_value - target);
    const bool is_clipped = clipped > unclipped;
    const double gradient = std::isnan(clipped) ? clipped : is_clipped ? 0.0 : value - target;
    dvalues.data<float>()[p] = static_cast<float>(weight * gradient);
    totals.add(ValueSum::loss, 0.5 * max_or_nan(clipped, unclipped));
    totals.add(ValueSum::clipped, is_clipped ? 1.0 : 0.0);
  }
}

void preference_loss(Queue&, View drewards, View sums, ConstView rewards, ConstView weights,
                     double divisor) {
  Sums<PreferenceSum> totals(sums);
  const std::int64_t pairs = rewards.numel() / 2;
  for (std::int64_t b = 0; b < pairs; ++b) {
    const double difference = static_cast<double>(rewards.data<float>()[2 * b]) -
                              static_cast<double>(rewards.data<float>()[2 * b + 1]);
    // log(1 + exp(-x)) without overflow for large differences of either sign.
    const double weight = weights.data<double>()[b];
    totals.add(PreferenceSum::loss,
               weight * (std::max(-difference, 0.0) + std::log1p(std::exp(-std::abs(difference)))));
    totals.add(PreferenceSum::correct, weight * (difference > 0.0    ? 1.0
                                                 : difference == 0.0 ? 0.5
                                                                     : 0.0));
    const double gradient = weight / divisor / (1.0 + std::exp(difference));
    drewards.data<float>()[2 * b] = static_cast<float>(-gradient);
    drewards.data<float>()[2 * b + 1] = static_cast<float>(gradient);
  }
}

}  // namespace precis::cpu
