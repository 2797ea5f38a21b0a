#include <omp.h>

#include <algorithm>
#include <vector>

#include "kernels/counting/counting.hpp"
#include "kernels/counting/table.hpp"
#include "kernels/cpu/scratch_sizes.hpp"

namespace precis::counting {
namespace like_cpu {
namespace {

Pack pack_weight(Queue& queue, ConstView weight, PackFor purpose, DType /*precision*/,
                 Pack former) {
  const std::int64_t out = weight.extent(0);
  const std::int64_t in = weight.extent(1);
  return counted_pack(queue, weight, Shape{cpu::packed_size(out, in, purpose)}, DType::f32,
                      std::move(former));
}

void forward(Queue& queue, std::int64_t rows, const Pack& weight, SumParts parts) {
  const auto& pack = weight.state<CountedPack>();
  const cpu::SumTerm sum{pack.in, parts};
  (void)queue.state<QueueState>().scratch.of<float>(
      cpu::product_scratch(rows, {&sum, 1}, pack.out));
}

void linear_forward(Queue& queue, View y, ConstView /*x*/, const Pack& weight, SumParts parts,
                    ConstView /*bias*/, ConstView /*residual*/) {
  forward(queue, y.extent(0), weight, parts);
}

void linear_gelu_forward(Queue& queue, View activated, View /*y*/, ConstView /*x*/,
                         const Pack& weight, ConstView /*bias*/, Gelu /*kind*/) {
  forward(queue, activated.extent(0), weight, {});
}

void linear_input_gradient(Queue& queue, View dx, std::span<const GradientTerm> terms) {
  std::vector<cpu::SumTerm> sums;
  for (const GradientTerm& term : terms) {
    sums.push_back({term.weight->state<CountedPack>().out, term.parts});
  }
  (void)queue.state<QueueState>().scratch.of<float>(
      cpu::product_scratch(dx.extent(0), sums, dx.extent(1)));
}

void linear_weight_gradient(Queue& queue, View dweight, View /*dbias*/, ConstView dy,
                            ConstView /*x*/) {
  const auto sizes =
      cpu::weight_gradient_scratch(dy.extent(0), dweight.extent(0), dweight.extent(1));
  (void)queue.state<QueueState>().products.of<float>(sizes.panels);
  (void)queue.state<QueueState>().scratch.of<float>(sizes.product);
}

void attention_forward(Queue& queue, View /*out*/, View /*log_sum_exp*/, ConstView /*q*/,
                       ConstView k, ConstView /*v*/, ConstView offsets, double /*scale*/) {
  (void)queue.state<QueueState>().scratch.of<float>(
      cpu::attention_scratch(lengths_of(queue, offsets), k.extent(1), k.extent(2)));
}

void attention_backward(Queue& queue, View /*dq*/, View /*dk*/, View /*dv*/, ConstView /*dout*/,
                        ConstView /*out*/, ConstView /*log_sum_exp*/, ConstView q, ConstView k,
                        ConstView /*v*/, ConstView offsets, double /*scale*/, SumParts heads) {
  const auto lengths = lengths_of(queue, offsets);
  if (!lengths.empty()) {
    (void)queue.state<QueueState>().scratch.of<float>(cpu::attention_backward_scratch(
        std::ranges::max(lengths), q.extent(2), q.extent(1), q.extent(1) / k.extent(1), heads));
  }
}

}  // namespace

constexpr Capabilities capabilities{};

constexpr Backend backend{
    .name = "cpu",
    .runs_ahead = false,
    .one_pack = false,
#include "kernels/table.inc"
};

}  // namespace like_cpu

const Backend as_cpu = like_cpu::backend;

}  // namespace precis::counting
