#include <cmath>
#include <functional>
#include <vector>

#include "kernels/reference/kernels.hpp"
#include "kernels/reference/softmax.hpp"

namespace precis::reference {
namespace {

std::vector<double> row_of(ConstView logits, std::int64_t row, double temperature) {
  return tempered(logits.data<float>() + row * logits.extent(1), logits.extent(1), temperature);
}

}  // namespace

void log_softmax_parts(Queue&, View partials, ConstView logits, ConstView targets,
                       std::int64_t first, double temperature, SumParts parts, bool entropy) {
  const std::int64_t rows = logits.extent(0);
  for (std::int64_t p = 0; p < rows; ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const std::int64_t target = targets.data<std::int32_t>()[p] - first;
    for (std::int64_t number = 0; number < part_count(parts); ++number) {
      const PartRange range = part_of(parts, number, logits.extent(1));
      const RowPart part = row_part(z, range);
      double* const out = partials.data<double>() + (number * rows + p) * 4;
      out[0] = part.max;
      out[1] = part.sum;
      out[2] = entropy ? part.weighted : 0.0;
      out[3] =
          range.begin <= target && target < range.end ? z[static_cast<std::size_t>(target)] : 0.0;
    }
  }
}

void log_softmax_join(Queue&, View logprob, View log_sum_exp, View entropy, ConstView partials) {
  const std::int64_t rows = partials.extent(1);
  for (std::int64_t p = 0; p < rows; ++p) {
    const RowPart whole = in_tree(
        0, partials.extent(0),
        [&](std::int64_t number) {
          const double* const from = partials.data<double>() + (number * rows + p) * 4;
          return RowPart{.max = from[0], .sum = from[1], .weighted = from[2], .target = from[3]};
        },
        joined);
    const double total = log_sum_exp_of(whole);
    logprob.data<float>()[p] = static_cast<float>(whole.target - total);
    log_sum_exp.data<float>()[p] = static_cast<float>(total);
    if (!entropy.empty()) {
      entropy.data<float>()[p] =
          static_cast<float>(std::log(whole.sum) - whole.weighted / whole.sum);
    }
  }
}

void log_softmax_backward(Queue&, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, std::int64_t first, double temperature) {
  for (std::int64_t p = 0; p < logits.extent(0); ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const double total = log_sum_exp.data<float>()[p];
    const double gradient = dlogprob.data<float>()[p];
    for (std::int64_t v = 0; v < logits.extent(1); ++v) {
      const double hit = first + v == targets.data<std::int32_t>()[p] ? 1.0 : 0.0;
      const double probability = std::exp(z[static_cast<std::size_t>(v)] - total);
      logits.data<float>()[p * logits.extent(1) + v] =
          static_cast<float>((hit - probability) * gradient / temperature);
    }
  }
}

void kl_parts(Queue&, View partials, ConstView logits, ConstView log_sum_exp,
              ConstView reference_logits, ConstView reference_log_sum_exp, double temperature,
              SumParts parts) {
  const std::int64_t rows = logits.extent(0);
  for (std::int64_t p = 0; p < rows; ++p) {
    const std::vector<double> z = row_of(logits, p, temperature);
    const std::vector<double> reference_z = row_of(reference_logits, p, temperature);
    for (std::int64_t number = 0; number < part_count(parts); ++number) {
      const PartRange range = part_of(parts, number, logits.extent(1));
      double sum = 0.0;
      for (auto v = static_cast<std::size_t>(range.begin); v < static_cast<std::size_t>(range.end);
           ++v) {
        const double log_p = z[v] - log_sum_exp.data<float>()[p];
        const double log_q = reference_z[v] - reference_log_sum_exp.data<float>()[p];
        sum += times_log(std::exp(log_p), log_p - log_q);
      }
      partials.data<double>()[number * rows + p] = sum;
    }
  }
}

void kl_join(Queue&, View kl, ConstView partials) {
  const std::int64_t rows = partials.extent(1);
  for (std::int64_t p = 0; p < rows; ++p) {
    kl.data<float>()[p] = static_cast<float>(in_tree(
        0, partials.extent(0),
        [&](std::int64_t number) { return partials.data<double>()[number * rows + p]; },
        std::plus<>()));
  }
}

}  // namespace precis::reference
