#include <cmath>
#include <vector>

#include "kernels/reference/kernels.hpp"
#include "kernels/reference/softmax.hpp"

namespace precis::reference {
namespace {

std::vector<double> row_of(ConstView logits, std::int64_t row, double temperature) {
  return tempered(logits.data<float>() + row * logits.extent(1), logits.extent(1), temperature);
}

}  // namespace

void log_softmax_forward(Queue&, View logprob, View log_sum_exp, View entropy, ConstView logits,
                         ConstView targets, double temperature) {
  for (std::int64_t p = 0; p < logits.extent(0); ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const double total = log_sum_exp_of(z);
    const auto target = static_cast<std::size_t>(targets.data<std::int32_t>()[p]);
    logprob.data<float>()[p] = static_cast<float>(z[target] - total);
    log_sum_exp.data<float>()[p] = static_cast<float>(total);
    if (!entropy.empty()) {
      double sum = 0.0;
      for (const double value : z) {
        sum -= times_log(std::exp(value - total), value - total);
      }
      entropy.data<float>()[p] = static_cast<float>(sum);
    }
  }
}

void log_softmax_backward(Queue&, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, double temperature) {
  for (std::int64_t p = 0; p < logits.extent(0); ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const double total = log_sum_exp.data<float>()[p];
    const double gradient = dlogprob.data<float>()[p];
    for (std::int64_t v = 0; v < logits.extent(1); ++v) {
      const double hit = v == targets.data<std::int32_t>()[p] ? 1.0 : 0.0;
      const double probability = std::exp(z[static_cast<std::size_t>(v)] - total);
      logits.data<float>()[p * logits.extent(1) + v] =
          static_cast<float>((hit - probability) * gradient / temperature);
    }
  }
}

void kl_divergence(Queue&, View kl, ConstView logits, ConstView log_sum_exp,
                   ConstView reference_logits, ConstView reference_log_sum_exp,
                   double temperature) {
  for (std::int64_t p = 0; p < logits.extent(0); ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const std::vector<double> reference_z = row_of(reference_logits, p, temperature);
    double sum = 0.0;
    for (std::size_t v = 0; v < z.size(); ++v) {
      const double log_p = z[v] - log_sum_exp.data<float>()[p];
      const double log_q = reference_z[v] - reference_log_sum_exp.data<float>()[p];
      sum += times_log(std::exp(log_p), log_p - log_q);
    }
    kl.data<float>()[p] = static_cast<float>(sum);
  }
}

}  // namespace precis::reference
