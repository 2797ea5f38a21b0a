#include "kernels/adamw_factors.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 256;

/// A group a thread.
__global__ void update(float* parameter, float* first, float* second, const float* gradient,
                       const float* gradient_scale, std::int64_t n, const AdamWFactors factors,
                       bool aligned) {
  constexpr int size = group_size<float>;
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x) * size;
  with_group<size>(n, i, aligned, [&](const auto& how) {
    const auto g = how.load(gradient + i);
    auto m = how.load(first + i);
    auto v = how.load(second + i);
    auto p = how.load(parameter + i);
    const float scale = *gradient_scale;
    for (int e = 0; e < size; ++e) {
      // Each rounding by name: the order of the CPU's kernel.
      const float scaled = __fmul_rn(g.x[e], scale);
      m.x[e] = fmaf(factors.beta1_rest, scaled - m.x[e], m.x[e]);
      v.x[e] =
          fmaf(__fmul_rn(factors.beta2_rest, scaled), scaled, __fmul_rn(factors.beta2, v.x[e]));
      const float denominator = fmaf(sqrtf(v.x[e]), factors.root_scale, factors.epsilon);
      p.x[e] = fmaf(-factors.step, m.x[e] / denominator, __fmul_rn(p.x[e], factors.keep));
    }
    how.store(first + i, m);
    how.store(second + i, v);
    how.store(parameter + i, p);
  });
}

}  // namespace

void adamw_step(Queue& queue, View parameter, View first, View second, ConstView gradient,
                ConstView gradient_scale, const AdamW& settings) {
  constexpr const char* kernel = "adamw_step";
  constexpr int size = group_size<float>;
  const std::int64_t n = parameter.numel();
  launch(queue, kernel, update, {.blocks = blocks_for(n, threads * size), .threads = threads},
         parameter.data<float>(), first.data<float>(), second.data<float>(), gradient.data<float>(),
         gradient_scale.data<float>(), n, adamw_factors(settings),
         groups_are_aligned(size, 0, {parameter, first, second, gradient}));
}

}  // namespace precis::cuda
