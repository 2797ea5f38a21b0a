#include <algorithm>
#include <cmath>

#include "kernels/exact_sum.hpp"
#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

void add(View sums, auto which, double x) {
  std::int64_t* const words =
      sums.data<std::int64_t>() + static_cast<std::int64_t>(which) * exact_sum_words;
  add_exactly(words, x);
  carry_exact_sum(words);
}

double number(ConstView x, std::int64_t i) { return static_cast<double>(x.data<float>()[i]); }

/// The larger; a NaN if either is one.
double max_of(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b);
}

}  // namespace

void ppo_policy_loss(Queue&, View dlogprob, View sums, View ratio_max, ConstView logprob,
                     ConstView old_logprob, ConstView advantages, double clip, double weight) {
  for (std::int64_t p = 0; p < logprob.numel(); ++p) {
    const double change = number(logprob, p) - number(old_logprob, p);
    const double ratio = std::exp(change);
    const double bounded = clip > 0.0 ? std::clamp(ratio, 1.0 - clip, 1.0 + clip) : ratio;
    const double term = -number(advantages, p) * ratio;
    const double clipped_term = -number(advantages, p) * bounded;
    dlogprob.data<float>()[p] = static_cast<float>(clipped_term > term ? 0.0 : weight * term);
    add(sums, PolicySum::loss, max_of(term, clipped_term));
    add(sums, PolicySum::clipped, clipped_term > term ? 1.0 : 0.0);
    add(sums, PolicySum::ratio, ratio);
    *ratio_max.data<double>() = max_of(*ratio_max.data<double>(), ratio);
    add(sums, PolicySum::squared_change, change * change / 2.0);
  }
}

void ppo_value_loss(Queue&, View dvalues, View sums, ConstView values, ConstView old_values,
                    ConstView returns, double clip, double weight) {
  for (std::int64_t p = 0; p < values.numel(); ++p) {
    const double error = number(values, p) - number(returns, p);
    double clipped_error = error;
    const double change = number(values, p) - number(old_values, p);
    if (clip > 0.0 && !(std::abs(change) <= clip)) {
      clipped_error = number(old_values, p) + std::clamp(change, -clip, clip) - number(returns, p);
    }
    const double square = error * error;
    const double clipped_square = clipped_error * clipped_error;
    double gradient = clipped_square > square ? 0.0 : error;
    if (std::isnan(clipped_square)) {
      gradient = clipped_square;
    }
    dvalues.data<float>()[p] = static_cast<float>(weight * gradient);
    add(sums, ValueSum::loss, max_of(square, clipped_square) / 2.0);
    add(sums, ValueSum::clipped, clipped_square > square ? 1.0 : 0.0);
  }
}

void preference_loss(Queue&, View drewards, View sums, ConstView rewards, ConstView weights,
                     double divisor) {
  for (std::int64_t b = 0; b < rewards.numel() / 2; ++b) {
    const double chosen = number(rewards, 2 * b);
    const double rejected = number(rewards, 2 * b + 1);
    const double difference = chosen - rejected;
    const double complement = 1.0 / (1.0 + std::exp(difference));
    // exp(700) is still finite in f64; beyond, log(1 + exp(x)) is x to the last bit.
    const double weight = weights.data<double>()[b];
    const double loss = difference > -700.0 ? std::log1p(std::exp(-difference)) : -difference;
    add(sums, PreferenceSum::loss, weight * loss);
    add(sums, PreferenceSum::correct,
        weight * (chosen > rejected    ? 1.0
                  : chosen == rejected ? 0.5
                                       : 0.0));
    drewards.data<float>()[2 * b] = static_cast<float>(-weight / divisor * complement);
    drewards.data<float>()[2 * b + 1] = static_cast<float>(weight / divisor * complement);
  }
}

}  // namespace precis::reference
