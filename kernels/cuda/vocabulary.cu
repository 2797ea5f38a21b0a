#include "kernels/cuda/vocabulary.hpp"

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

// One block a row.

template <bool with_entropy>
__global__ void __launch_bounds__(row_threads, 2)
    log_softmax_rows(float* logprob, float* log_sum_exp, float* entropy, const float* logits,
                     const std::int32_t* targets, std::int64_t vocabulary, float temperature) {
  const std::int64_t p = blockIdx.x;
  const float* row = logits + p * vocabulary;
  const RowStatistics statistics = row_statistics<with_entropy>(row, vocabulary, temperature);
  if (threadIdx.x == 0) {
    logprob[p] = row_logprob(row, targets[p], temperature, statistics);
    log_sum_exp[p] = static_cast<float>(statistics.max + statistics.excess);
    if constexpr (with_entropy) {
      entropy[p] = static_cast<float>(statistics.entropy);
    }
  }
}

__global__ void __launch_bounds__(row_threads)
    log_softmax_backward_rows(float* logits, const float* log_sum_exp, const std::int32_t* targets,
                              const float* dlogprob, std::int64_t vocabulary, float temperature) {
  const std::int64_t p = blockIdx.x;
  float* row = logits + p * vocabulary;
  const std::int64_t target = targets[p];
  const float shift = log_sum_exp[p];
  const float gradient = dlogprob[p] / temperature;
  const auto gradient_of = [&](float logit, std::int64_t v) {
    const float probability = expf(tempered(logit, temperature) - shift);
    return ((v == target ? 1.0F : 0.0F) - probability) * gradient;
  };
  // The elements before the first 16-byte boundary and behind the last one go alone.
  const auto misplaced = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(row) / 4 % 4);
  const std::int64_t to_boundary = (4 - misplaced) % 4;
  const std::int64_t begin = to_boundary < vocabulary ? to_boundary : vocabulary;
  const std::int64_t quads = (vocabulary - begin) / 4;
  const std::int64_t end = begin + 4 * quads;
  auto* aligned = reinterpret_cast<float4*>(row + begin);
  for (std::int64_t i = threadIdx.x; i < quads; i += row_threads) {
    const std::int64_t v = begin + 4 * i;
    const float4 x = aligned[i];
    aligned[i] = make_float4(gradient_of(x.x, v), gradient_of(x.y, v + 1), gradient_of(x.z, v + 2),
                             gradient_of(x.w, v + 3));
  }
  const std::int64_t alone = threadIdx.x;
  if (alone < begin) {
    row[alone] = gradient_of(row[alone], alone);
  }
  if (end + alone < vocabulary) {
    row[end + alone] = gradient_of(row[end + alone], end + alone);
  }
}

__global__ void __launch_bounds__(row_threads)
    kl_rows(float* kl, const float* logits, const float* log_sum_exp, const float* reference_logits,
            const float* reference_log_sum_exp, std::int64_t vocabulary, float temperature) {
  const std::int64_t p = blockIdx.x;
  const float* row = logits + p * vocabulary;
  const float* reference_row = reference_logits + p * vocabulary;
  const float shift = log_sum_exp[p];
  const float reference_shift = reference_log_sum_exp[p];
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; 4 * i < vocabulary; i += row_threads) {
    const Quad x = quad_of(row, vocabulary, i);
    const Quad reference = quad_of(reference_row, vocabulary, i);
    float quad_sum = 0.0F;
    for (int j = 0; j < 4; ++j) {
      const float log_p = tempered(x.x[j], temperature) - shift;
      const float log_q = tempered(reference.x[j], temperature) - reference_shift;
      const float probability = expf(log_p);
      // 0 log 0 = 0, also where both logits are minus infinity.
      quad_sum += probability == 0.0F ? 0.0F : probability * (log_p - log_q);
    }
    sum += static_cast<double>(quad_sum);
  }
  const double total = over_block<row_threads>(sum, SumOf());
  if (threadIdx.x == 0) {
    kl[p] = static_cast<float>(total);
  }
}

/// A block for each row of logits (P,V).
Grid grid_for(ConstView logits) { return {.blocks = logits.extent(0), .threads = row_threads}; }

}  // namespace

void log_softmax_forward(Queue& queue, View logprob, View log_sum_exp, View entropy,
                         ConstView logits, ConstView targets, double temperature) {
  constexpr const char* kernel = "log_softmax_forward";
  const Grid grid = grid_for(logits);
  launch(queue, kernel, entropy.empty() ? log_softmax_rows<false> : log_softmax_rows<true>, grid,
         logprob.data<float>(), log_sum_exp.data<float>(), entropy.data<float>(),
         logits.data<float>(), targets.data<std::int32_t>(), logits.extent(1), temperature);
}

void log_softmax_backward(Queue& queue, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, double temperature) {
  constexpr const char* kernel = "log_softmax_backward";
  const Grid grid = grid_for(logits);
  launch(queue, kernel, log_softmax_backward_rows, grid, logits.data<float>(),
         log_sum_exp.data<float>(), targets.data<std::int32_t>(), dlogprob.data<float>(),
         logits.extent(1), temperature);
}

void kl_divergence(Queue& queue, View kl, ConstView logits, ConstView log_sum_exp,
                   ConstView reference_logits, ConstView reference_log_sum_exp,
                   double temperature) {
  constexpr const char* kernel = "kl_divergence";
  const Grid grid = grid_for(logits);
  launch(queue, kernel, kl_rows, grid, kl.data<float>(), logits.data<float>(),
         log_sum_exp.data<float>(), reference_logits.data<float>(),
         reference_log_sum_exp.data<float>(), logits.extent(1), temperature);
}

}  // namespace precis::cuda
