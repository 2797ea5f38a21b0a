#include <algorithm>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/exact_sum.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 256;

struct Identity {
  __device__ double operator()(float x) const { return x; }
};
struct Square {
  __device__ double operator()(float x) const {
    return static_cast<double>(x) * static_cast<double>(x);
  }
};

/// parts[b] = the sum of term(x) over block b's elements.
template <class Term>
__global__ void sum_parts(double* parts, const float* x, std::int64_t n, const Term term,
                          bool aligned) {
  constexpr int size = group_size<float>;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads * size;
  double sum = 0.0;
  for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x) * size;
       i < n; i += step) {
    with_group<size>(n, i, aligned, [&](const auto& how) {
      const auto numbers = how.load(x + i);
      for (int e = 0; e < size; ++e) {
        sum += term(numbers.x[e]);
      }
    });
  }
  sum = over_block<threads>(sum, SumOf{});
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
  }
}

/// One block.
__global__ void sum_of_parts(std::int64_t* out, const double* parts, int count, Write write) {
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
    sum += parts[i];
  }
  sum = over_block<threads>(sum, SumOf{});
  if (threadIdx.x == 0) {
    if (write == Write::overwrite) {
      for (std::int64_t word = 0; word < exact_sum_words; ++word) {
        out[word] = 0;
      }
    }
    add_exactly(out, sum);
    carry_exact_sum(out);
  }
}

__global__ void scale_for_clip(float* scale, double* norm, const double* sum_of_squares,
                               double clip) {
  const double root = sqrt(*sum_of_squares);
  *norm = root;
  const double factor = clip / (root + 1e-6);
  // Written so that a norm that is not a number gives a factor that is not one.
  *scale = clip == 0.0 || factor >= 1.0 ? 1.0F : static_cast<float>(factor);
}

template <class Term>
void reduce(Queue& queue, const char* kernel, View out, ConstView x, Write write,
            const Term& term) {
  constexpr int size = group_size<float>;
  constexpr std::int64_t most_parts = 1024;
  const std::int64_t count = std::min(blocks_for(x.numel(), threads * size), most_parts);
  double* parts = scratch_of(queue).of<double>(most_parts);
  launch(queue, kernel, sum_parts<Term>, {.blocks = count, .threads = threads}, parts,
         x.data<float>(), x.numel(), term, groups_are_aligned(size, 0, {x}));
  launch(queue, kernel, sum_of_parts, {.blocks = 1, .threads = threads}, out.data<std::int64_t>(),
         parts, count, write);
}

}  // namespace

void sum(Queue& queue, View out, ConstView x, Write write) {
  reduce(queue, "sum", out, x, write, Identity{});
}

void sum_of_squares(Queue& queue, View out, ConstView x, Write write) {
  reduce(queue, "sum_of_squares", out, x, write, Square{});
}

void clip_scale(Queue& queue, View scale, View norm, ConstView sum_of_squares, double clip) {
  launch(queue, "clip_scale", scale_for_clip, {.blocks = 1, .threads = 1}, scale.data<float>(),
         norm.data<double>(), sum_of_squares.data<double>(), clip);
}

}  // namespace precis::cuda
