// Stands in for cuBLASLt's products: obvious loops with double accumulation, in both precisions.
#include <cuda_runtime.h>

#include <memory>
#include <vector>

#include "kernels/check.hpp"
#include "kernels/cuda/kernels.hpp"

namespace precis::cuda {
namespace {

struct HostPack {
  std::int64_t out, in;
  DType precision;
  std::vector<float> weight;
};

double number(ConstView x, std::int64_t i) {
  return x.dtype() == DType::bf16 ? to_f32(x.data<BFloat16>()[i]) : x.data<float>()[i];
}

void put(View x, std::int64_t i, double value) {
  if (x.dtype() == DType::bf16) {
    x.data<BFloat16>()[i] = to_bf16(static_cast<float>(value));
  } else {
    x.data<float>()[i] = static_cast<float>(value);
  }
}

}  // namespace

Pack pack_weight(Queue& /*queue*/, ConstView weight, PackFor /*purpose*/, DType precision,
                 Pack /*former*/) {
  HostPack pack{weight.extent(0), weight.extent(1), precision, {}};
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const float w = weight.data<float>()[i];
    pack.weight.push_back(precision == DType::bf16 ? to_f32(to_bf16(w)) : w);
  }
  return Pack(std::make_shared<HostPack>(std::move(pack)));
}

void linear_forward(Queue& /*queue*/, View y, ConstView x, const Pack& weight, ConstView bias,
                    ConstView residual) {
  const auto& w = weight.state<HostPack>();
  check_argument("linear_forward", "x", x, w.precision, {x.extent(0), w.in});
  check_argument("linear_forward", "y", y, y.dtype(), {x.extent(0), w.out});
  cuda_on_host::enqueue([=, &w] {
    for (std::int64_t n = 0; n < x.extent(0); ++n) {
      for (std::int64_t o = 0; o < w.out; ++o) {
        double sum = bias.empty() ? 0.0 : bias.data<float>()[o];
        for (std::int64_t i = 0; i < w.in; ++i) {
          sum += number(x, n * w.in + i) * w.weight[static_cast<std::size_t>(o * w.in + i)];
        }
        const std::int64_t place = n * w.out + o;
        put(y, place, sum + (residual.empty() ? 0.0 : number(residual, place)));
      }
    }
  });
}

void linear_input_gradient(Queue& /*queue*/, View dx, ConstView dy, const Pack& weight,
                           Write write) {
  const auto& w = weight.state<HostPack>();
  check_argument("linear_input_gradient", "dy", dy, w.precision, {dy.extent(0), w.out});
  check_argument("linear_input_gradient", "dx", dx, w.precision, {dy.extent(0), w.in});
  for (std::int64_t n = 0; n < dy.extent(0); ++n) {
    for (std::int64_t i = 0; i < w.in; ++i) {
      const std::int64_t place = n * w.in + i;
      double sum = write == Write::accumulate ? number(dx, place) : 0.0;
      for (std::int64_t o = 0; o < w.out; ++o) {
        sum += number(dy, n * w.out + o) * w.weight[static_cast<std::size_t>(o * w.in + i)];
      }
      put(dx, place, sum);
    }
  }
}

void linear_weight_gradient(Queue& /*queue*/, View dweight, View dbias, ConstView dy, ConstView x) {
  const std::int64_t out = dweight.extent(0);
  const std::int64_t in = dweight.extent(1);
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t i = 0; i < in; ++i) {
      double sum = 0.0;
      for (std::int64_t n = 0; n < x.extent(0); ++n) {
        sum += number(dy, n * out + o) * number(x, n * in + i);
      }
      dweight.data<float>()[o * in + i] += static_cast<float>(sum);
    }
    double sum = 0.0;
    for (std::int64_t n = 0; n < x.extent(0); ++n) {
      sum += number(dy, n * out + o);
    }
    if (!dbias.empty()) {
      dbias.data<float>()[o] += static_cast<float>(sum);
    }
  }
}

}  // namespace precis::cuda
