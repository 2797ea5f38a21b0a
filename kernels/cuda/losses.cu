// A few thousand tokens a batch: one block, in f64, each thread's tokens in order.
#include <cmath>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 256;

/// The larger, or the one that is not a number.
struct MaxOrNan {
  __device__ double operator()(double a, double b) const { return a >= b || std::isnan(a) ? a : b; }
};

/// value within [low, high]; a NaN stays one.
__device__ inline double bounded(double value, double low, double high) {
  return value < low ? low : (value > high ? high : value);
}

/// Adds the block's values to sums (Sum::count, exact_sum_words).
template <class Sum>
__device__ void gather(std::int64_t* sums, Sum which, double value) {
  const double total = over_block<threads>(value, SumOf{});
  if (threadIdx.x == 0) {
    std::int64_t* const words = sums + static_cast<std::int64_t>(which) * exact_sum_words;
    add_exactly(words, total);
    carry_exact_sum(words);
  }
}

__global__ void policy(float* dlogprob, std::int64_t* sums, double* ratio_max, const float* logprob,
                       const float* old_logprob, const float* advantages, std::int64_t count,
                       double clip, double weight) {
  double loss = 0.0;
  double clipped_tokens = 0.0;
  double ratios = 0.0;
  double largest = 0.0;  // a ratio is never smaller
  double squared_change = 0.0;
  for (std::int64_t p = threadIdx.x; p < count; p += threads) {
    const double change = static_cast<double>(logprob[p]) - static_cast<double>(old_logprob[p]);
    const double advantage = advantages[p];
    const double ratio = exp(change);
    const double unclipped = -advantage * ratio;
    const double clipped =
        clip == 0.0 ? unclipped : -advantage * bounded(ratio, 1.0 - clip, 1.0 + clip);
    const bool is_clipped = clipped > unclipped;
    // Where the clipped term is larger the ratio is outside its bounds: the loss is flat.
    dlogprob[p] = is_clipped ? 0.0F : static_cast<float>(weight * unclipped);
    loss += is_clipped ? clipped : unclipped;
    clipped_tokens += is_clipped ? 1.0 : 0.0;
    ratios += ratio;
    largest = MaxOrNan{}(largest, ratio);
    squared_change += 0.5 * change * change;
  }
  gather(sums, PolicySum::loss, loss);
  gather(sums, PolicySum::clipped, clipped_tokens);
  gather(sums, PolicySum::ratio, ratios);
  gather(sums, PolicySum::squared_change, squared_change);
  largest = over_block<threads>(largest, MaxOrNan{});
  if (threadIdx.x == 0) {
    *ratio_max = MaxOrNan{}(*ratio_max, largest);
  }
}

__global__ void value(float* dvalues, std::int64_t* sums, const float* values,
                      const float* old_values, const float* returns, std::int64_t count,
                      double clip, double weight) {
  double loss = 0.0;
  double clipped_tokens = 0.0;
  for (std::int64_t p = threadIdx.x; p < count; p += threads) {
    const double v = values[p];
    const double old_value = old_values[p];
    const double target = returns[p];
    const double change = v - old_value;
    const bool is_within = clip == 0.0 || fabs(change) <= clip;
    const double near_value = is_within ? v : old_value + bounded(change, -clip, clip);
    const double unclipped = (v - target) * (v - target);
    const double clipped = (near_value - target) * (near_value - target);
    const bool is_clipped = clipped > unclipped;
    const double gradient = std::isnan(clipped) ? clipped : (is_clipped ? 0.0 : v - target);
    dvalues[p] = static_cast<float>(weight * gradient);
    loss += 0.5 * MaxOrNan{}(clipped, unclipped);
    clipped_tokens += is_clipped ? 1.0 : 0.0;
  }
  gather(sums, ValueSum::loss, loss);
  gather(sums, ValueSum::clipped, clipped_tokens);
}

__global__ void preference(float* drewards, std::int64_t* sums, const float* rewards,
                           const double* weights, std::int64_t pairs, double divisor) {
  double loss = 0.0;
  double correct = 0.0;
  for (std::int64_t b = threadIdx.x; b < pairs; b += threads) {
    const double difference =
        static_cast<double>(rewards[2 * b]) - static_cast<double>(rewards[2 * b + 1]);
    // log(1 + exp(-x)) without overflow for large differences of either sign.
    const double weight = weights[b];
    loss += weight * ((difference < 0.0 ? -difference : 0.0) + log1p(exp(-fabs(difference))));
    correct += weight * (difference > 0.0 ? 1.0 : (difference == 0.0 ? 0.5 : 0.0));
    const double gradient = weight / divisor / (1.0 + exp(difference));
    drewards[2 * b] = static_cast<float>(-gradient);
    drewards[2 * b + 1] = static_cast<float>(gradient);
  }
  gather(sums, PreferenceSum::loss, loss);
  gather(sums, PreferenceSum::correct, correct);
}

constexpr Grid one_block{.blocks = 1, .threads = threads};

}  // namespace

void ppo_policy_loss(Queue& queue, View dlogprob, View sums, View ratio_max, ConstView logprob,
                     ConstView old_logprob, ConstView advantages, double clip, double weight) {
  constexpr const char* kernel = "ppo_policy_loss";
  launch(queue, kernel, policy, one_block, dlogprob.data<float>(), sums.data<std::int64_t>(),
         ratio_max.data<double>(), logprob.data<float>(), old_logprob.data<float>(),
         advantages.data<float>(), logprob.numel(), clip, weight);
}

void ppo_value_loss(Queue& queue, View dvalues, View sums, ConstView values, ConstView old_values,
                    ConstView returns, double clip, double weight) {
  constexpr const char* kernel = "ppo_value_loss";
  launch(queue, kernel, value, one_block, dvalues.data<float>(), sums.data<std::int64_t>(),
         values.data<float>(), old_values.data<float>(), returns.data<float>(), values.numel(),
         clip, weight);
}

void preference_loss(Queue& queue, View drewards, View sums, ConstView rewards, ConstView weights,
                     double divisor) {
  constexpr const char* kernel = "preference_loss";
  launch(queue, kernel, preference, one_block, drewards.data<float>(), sums.data<std::int64_t>(),
         rewards.data<float>(), weights.data<double>(), rewards.numel() / 2, divisor);
}

}  // namespace precis::cuda
