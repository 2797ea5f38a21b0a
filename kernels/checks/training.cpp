// The optimizer's step and the losses.
#include "base/error.hpp"
#include "kernels/checks/checks.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::checks {

void adamw_step(const KernelCall& call, View parameter, View first, View second, ConstView gradient,
                ConstView gradient_scale, const AdamW& settings) {
  call.tensor("parameter", parameter, DType::f32, parameter.shape());
  call.tensor("first", first, DType::f32, parameter.shape());
  call.tensor("second", second, DType::f32, parameter.shape());
  call.tensor("gradient", gradient, DType::f32, parameter.shape());
  call.tensor("gradient_scale", gradient_scale, DType::f32, {1});
  require(settings.update >= 1, "Kernel {}: the update's number is {}; updates count from 1.",
          call.kernel, settings.update);
}

void ppo_policy_loss(const KernelCall& call, View dlogprob, View sums, View ratio_max,
                     ConstView logprob, ConstView old_logprob, ConstView advantages,
                     double /*clip*/, double /*weight*/) {
  call.tensor("logprob", logprob, DType::f32, logprob.shape());
  call.tensor("dlogprob", dlogprob, DType::f32, logprob.shape());
  call.tensor("old_logprob", old_logprob, DType::f32, logprob.shape());
  call.tensor("advantages", advantages, DType::f32, logprob.shape());
  call.tensor("sums", sums, DType::i64, {static_cast<int>(PolicySum::count), exact_sum_words});
  call.tensor("ratio_max", ratio_max, DType::f64, {1});
}

void ppo_value_loss(const KernelCall& call, View dvalues, View sums, ConstView values,
                    ConstView old_values, ConstView returns, double /*clip*/, double /*weight*/) {
  call.tensor("values", values, DType::f32, values.shape());
  call.tensor("dvalues", dvalues, DType::f32, values.shape());
  call.tensor("old_values", old_values, DType::f32, values.shape());
  call.tensor("returns", returns, DType::f32, values.shape());
  call.tensor("sums", sums, DType::i64, {static_cast<int>(ValueSum::count), exact_sum_words});
}

void preference_loss(const KernelCall& call, View drewards, View sums, ConstView rewards,
                     ConstView weights, double /*divisor*/) {
  call.tensor("rewards", rewards, DType::f32, rewards.shape());
  require(rewards.numel() % 2 == 0, "Kernel {}: there are {} rewards; expected two a pair.",
          call.kernel, rewards.numel());
  call.tensor("drewards", drewards, DType::f32, rewards.shape());
  call.tensor("weights", weights, DType::f64, {rewards.numel() / 2});
  call.tensor("sums", sums, DType::i64, {static_cast<int>(PreferenceSum::count), exact_sum_words});
}

}  // namespace precis::checks
