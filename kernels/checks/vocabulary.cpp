// Kernels over rows of logits.
#include "base/error.hpp"
#include "kernels/checks/checks.hpp"

namespace precis::checks {
namespace {

void rows_of_logits(const KernelCall& call, ConstView logits) {
  call.rank("logits", logits, 2);
  call.tensor("logits", logits, DType::f32, logits.shape());
}

void temperature_above_0(const KernelCall& call, double temperature) {
  require(temperature > 0.0, "Kernel {}: the temperature is {}; it must be above 0.", call.kernel,
          temperature);
}

}  // namespace

void log_softmax_forward(const KernelCall& call, View logprob, View log_sum_exp, View entropy,
                         ConstView logits, ConstView targets, double temperature) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.tensor("logprob", logprob, DType::f32, {rows});
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.list("targets", targets, rows);
  call.optional("entropy", entropy, DType::f32, {rows});
  temperature_above_0(call, temperature);
}

void log_softmax_backward(const KernelCall& call, View logits, ConstView log_sum_exp,
                          ConstView targets, ConstView dlogprob, double temperature) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.list("targets", targets, rows);
  call.tensor("dlogprob", dlogprob, DType::f32, {rows});
  temperature_above_0(call, temperature);
}

void kl_divergence(const KernelCall& call, View kl, ConstView logits, ConstView log_sum_exp,
                   ConstView reference_logits, ConstView reference_log_sum_exp,
                   double temperature) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.tensor("reference_logits", reference_logits, DType::f32, logits.shape());
  call.tensor("kl", kl, DType::f32, {rows});
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.tensor("reference_log_sum_exp", reference_log_sum_exp, DType::f32, {rows});
  temperature_above_0(call, temperature);
}

void sample(const KernelCall& call, View tokens, View logprob, ConstView logits, ConstView episodes,
            ConstView positions, const SamplingRule& rule) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.list("tokens", tokens, rows);
  call.tensor("logprob", logprob, DType::f32, {rows});
  call.tensor("episodes", episodes, DType::i64, {rows});
  call.list("positions", positions, rows);
  require(rule.temperature >= 0.0, "Kernel {}: the temperature is {}; it must be at least 0.",
          call.kernel, rule.temperature);
}

}  // namespace precis::checks
