// Kernels over rows of logits.
#include "base/error.hpp"
#include "kernels/checks/checks.hpp"
#include "kernels/sum_parts.hpp"

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

void token_number(const KernelCall& call, std::int64_t first) {
  require(first >= 0, "Kernel {}: the first token is {}; expected at least 0.", call.kernel, first);
}

void sampled_rows(const KernelCall& call, ConstView logits, ConstView episodes, ConstView positions,
                  const SamplingRule& rule) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.tensor("episodes", episodes, DType::i64, {rows});
  call.list("positions", positions, rows);
  require(rule.temperature >= 0.0, "Kernel {}: the temperature is {}; it must be at least 0.",
          call.kernel, rule.temperature);
}

void some_partials(const KernelCall& call, ConstView partials, int axes) {
  call.rank("partials", partials, axes);
  require(partials.extent(0) > 0, "Kernel {}: there are no parts to join; expected at least one.",
          call.kernel);
}

}  // namespace

void log_softmax_parts(const KernelCall& call, View partials, ConstView logits, ConstView targets,
                       std::int64_t first, double temperature, SumParts parts, bool /*entropy*/) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.parts("parts", parts, logits.extent(1));
  call.tensor("partials", partials, DType::f64, {part_count(parts), rows, 4});
  call.list("targets", targets, rows);
  token_number(call, first);
  temperature_above_0(call, temperature);
}

void log_softmax_join(const KernelCall& call, View logprob, View log_sum_exp, View entropy,
                      ConstView partials) {
  some_partials(call, partials, 3);
  const std::int64_t rows = partials.extent(1);
  call.tensor("partials", partials, DType::f64, {partials.extent(0), rows, 4});
  call.tensor("logprob", logprob, DType::f32, {rows});
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.optional("entropy", entropy, DType::f32, {rows});
}

void log_softmax_backward(const KernelCall& call, View logits, ConstView log_sum_exp,
                          ConstView targets, ConstView dlogprob, std::int64_t first,
                          double temperature) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.list("targets", targets, rows);
  call.tensor("dlogprob", dlogprob, DType::f32, {rows});
  token_number(call, first);
  temperature_above_0(call, temperature);
}

void kl_parts(const KernelCall& call, View partials, ConstView logits, ConstView log_sum_exp,
              ConstView reference_logits, ConstView reference_log_sum_exp, double temperature,
              SumParts parts) {
  rows_of_logits(call, logits);
  const std::int64_t rows = logits.extent(0);
  call.parts("parts", parts, logits.extent(1));
  call.tensor("partials", partials, DType::f64, {part_count(parts), rows});
  call.tensor("reference_logits", reference_logits, DType::f32, logits.shape());
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {rows});
  call.tensor("reference_log_sum_exp", reference_log_sum_exp, DType::f32, {rows});
  temperature_above_0(call, temperature);
}

void kl_join(const KernelCall& call, View kl, ConstView partials) {
  some_partials(call, partials, 2);
  call.tensor("partials", partials, DType::f64, partials.shape());
  call.tensor("kl", kl, DType::f32, {partials.extent(1)});
}

void sample(const KernelCall& call, View tokens, View logprob, ConstView logits, ConstView episodes,
            ConstView positions, const SamplingRule& rule, SumParts parts) {
  sampled_rows(call, logits, episodes, positions, rule);
  call.parts("parts", parts, logits.extent(1));
  call.list("tokens", tokens, logits.extent(0));
  call.tensor("logprob", logprob, DType::f32, {logits.extent(0)});
}

void sample_part(const KernelCall& call, View candidates, ConstView logits, std::int64_t first,
                 ConstView episodes, ConstView positions, const SamplingRule& rule) {
  sampled_rows(call, logits, episodes, positions, rule);
  call.tensor("candidates", candidates, DType::f64, {logits.extent(0), 2});
  token_number(call, first);
  require(rule.top_k == 0 && rule.top_p == 1.0,
          "Kernel {}: top_k is {} and top_p {}; filters need whole rows of logits.", call.kernel,
          rule.top_k, rule.top_p);
}

void sample_join(const KernelCall& call, View tokens, ConstView candidates) {
  call.rank("candidates", candidates, 3);
  require(candidates.extent(0) > 0,
          "Kernel {}: there are no candidates to choose from; expected one of a share at least.",
          call.kernel);
  const std::int64_t rows = candidates.extent(1);
  call.tensor("candidates", candidates, DType::f64, {candidates.extent(0), rows, 2});
  call.list("tokens", tokens, rows);
}

}  // namespace precis::checks
