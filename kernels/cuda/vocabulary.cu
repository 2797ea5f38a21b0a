#include "kernels/cuda/vocabulary.hpp"

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

/// Block (p, y): part y of row p.
template <bool with_entropy>
__global__ void __launch_bounds__(row_threads, 2)
    log_softmax_row_parts(double* partials, const float* logits, const std::int32_t* targets,
                          std::int64_t first, std::int64_t vocabulary, float temperature,
                          RowParts parts) {
  const std::int64_t p = blockIdx.x;
  const auto number = static_cast<int>(blockIdx.y);
  const float* row = logits + p * vocabulary;
  const std::int64_t begin = parts.bounds[number];
  const RowPart part = row_part<with_entropy>(row + begin, parts.size(number), temperature);
  if (threadIdx.x == 0) {
    const std::int64_t target = targets[p] - first;
    const bool is_here = begin <= target && target < parts.bounds[number + 1];
    double* const out = partials + 4 * (number * static_cast<std::int64_t>(gridDim.x) + p);
    out[0] = part.max;
    out[1] = part.sum;
    out[2] = part.weighted;
    out[3] = is_here ? static_cast<double>(tempered(row[target], temperature)) : 0.0;
  }
}

constexpr int join_threads = 32;

/// A block a row. entropy may be null.
__global__ void __launch_bounds__(join_threads)
    join_log_softmax(float* logprob, float* log_sum_exp, float* entropy, const double* partials,
                     int count) {
  __shared__ RowPart of_part[most_parts];
  __shared__ double target_of_part[most_parts];
  const std::int64_t p = blockIdx.x;
  for (int number = static_cast<int>(threadIdx.x); number < count; number += join_threads) {
    const double* const part = partials + 4 * (number * static_cast<std::int64_t>(gridDim.x) + p);
    of_part[number] = {part[0], part[1], part[2]};
    target_of_part[number] = part[3];
  }
  join_in_tree(of_part, count, JoinOf());
  join_in_tree(target_of_part, count, SumOf());  // one that is not 0 at most
  if (threadIdx.x == 0) {
    const RowStatistics statistics = statistics_of(of_part[0]);
    logprob[p] = row_logprob(target_of_part[0], statistics);
    log_sum_exp[p] = static_cast<float>(statistics.max + statistics.excess);
    if (entropy != nullptr) {
      entropy[p] = static_cast<float>(statistics.entropy);
    }
  }
}

/// A block a row.
__global__ void __launch_bounds__(row_threads)
    log_softmax_backward_rows(float* logits, const float* log_sum_exp, const std::int32_t* targets,
                              const float* dlogprob, std::int64_t first, std::int64_t vocabulary,
                              float temperature) {
  const std::int64_t p = blockIdx.x;
  float* row = logits + p * vocabulary;
  const std::int64_t target = targets[p] - first;
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

/// Block (p, y): part y of row p.
__global__ void __launch_bounds__(row_threads)
    kl_row_parts(double* partials, const float* logits, const float* log_sum_exp,
                 const float* reference_logits, const float* reference_log_sum_exp,
                 std::int64_t vocabulary, float temperature, RowParts parts) {
  const std::int64_t p = blockIdx.x;
  const auto number = static_cast<int>(blockIdx.y);
  const float* row = logits + p * vocabulary + parts.bounds[number];
  const float* reference_row = reference_logits + p * vocabulary + parts.bounds[number];
  const std::int64_t n = parts.size(number);
  const float shift = log_sum_exp[p];
  const float reference_shift = reference_log_sum_exp[p];
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; 4 * i < n; i += row_threads) {
    const Quad x = quad_of(row, n, i);
    const Quad reference = quad_of(reference_row, n, i);
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
    partials[number * static_cast<std::int64_t>(gridDim.x) + p] = total;
  }
}

/// A block a row.
__global__ void __launch_bounds__(join_threads)
    join_kl(float* kl, const double* partials, int count) {
  __shared__ double of_part[most_parts];
  const std::int64_t p = blockIdx.x;
  for (int number = static_cast<int>(threadIdx.x); number < count; number += join_threads) {
    of_part[number] = partials[number * static_cast<std::int64_t>(gridDim.x) + p];
  }
  join_in_tree(of_part, count, SumOf());
  if (threadIdx.x == 0) {
    kl[p] = static_cast<float>(of_part[0]);
  }
}

/// A block for each row of logits (P,V) and part.
Grid grid_for(ConstView logits, std::int64_t parts) {
  return {.blocks = logits.extent(0), .threads = row_threads, .blocks_y = parts};
}

}  // namespace

void log_softmax_parts(Queue& queue, View partials, ConstView logits, ConstView targets,
                       std::int64_t first, double temperature, SumParts parts, bool entropy) {
  constexpr const char* kernel = "log_softmax_parts";
  launch(queue, kernel, entropy ? log_softmax_row_parts<true> : log_softmax_row_parts<false>,
         grid_for(logits, part_count(parts)), partials.data<double>(), logits.data<float>(),
         targets.data<std::int32_t>(), first, logits.extent(1), temperature,
         row_parts(kernel, parts, logits.extent(1)));
}

void log_softmax_join(Queue& queue, View logprob, View log_sum_exp, View entropy,
                      ConstView partials) {
  constexpr const char* kernel = "log_softmax_join";
  const Grid grid{.blocks = partials.extent(1), .threads = join_threads};
  check_parts(kernel, partials.extent(0));
  launch(queue, kernel, join_log_softmax, grid, logprob.data<float>(), log_sum_exp.data<float>(),
         entropy.data<float>(), partials.data<double>(), partials.extent(0));
}

void log_softmax_backward(Queue& queue, View logits, ConstView log_sum_exp, ConstView targets,
                          ConstView dlogprob, std::int64_t first, double temperature) {
  constexpr const char* kernel = "log_softmax_backward";
  launch(queue, kernel, log_softmax_backward_rows, grid_for(logits, 1), logits.data<float>(),
         log_sum_exp.data<float>(), targets.data<std::int32_t>(), dlogprob.data<float>(), first,
         logits.extent(1), temperature);
}

void kl_parts(Queue& queue, View partials, ConstView logits, ConstView log_sum_exp,
              ConstView reference_logits, ConstView reference_log_sum_exp, double temperature,
              SumParts parts) {
  constexpr const char* kernel = "kl_parts";
  launch(queue, kernel, kl_row_parts, grid_for(logits, part_count(parts)), partials.data<double>(),
         logits.data<float>(), log_sum_exp.data<float>(), reference_logits.data<float>(),
         reference_log_sum_exp.data<float>(), logits.extent(1), temperature,
         row_parts(kernel, parts, logits.extent(1)));
}

void kl_join(Queue& queue, View kl, ConstView partials) {
  constexpr const char* kernel = "kl_join";
  const Grid grid{.blocks = partials.extent(1), .threads = join_threads};
  check_parts(kernel, partials.extent(0));
  launch(queue, kernel, join_kl, grid, kl.data<float>(), partials.data<double>(),
         partials.extent(0));
}

}  // namespace precis::cuda
