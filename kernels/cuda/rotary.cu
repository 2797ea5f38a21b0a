#include "kernels/cuda/rotary.hpp"

#include <algorithm>
#include <vector>

#include "kernels/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/rotary_frequency.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 128;

/// One block a token, so that its angles are computed once for all heads.
template <class T>
__global__ void rotate(T* q, T* k, const Rotating rotating, int heads, int kv_heads, int head_dim) {
  constexpr int size = group_size<T>;
  __shared__ float cosines[most_pairs];
  __shared__ float sines[most_pairs];
  const auto position = static_cast<float>(rotating.positions[blockIdx.x]);
  for (int i = static_cast<int>(threadIdx.x); i < rotating.pairs; i += threads) {
    rotating.turn(cosines[i], sines[i], position, i);
  }
  __syncthreads();
  const int groups = (rotating.pairs + size - 1) / size;
  const auto token = static_cast<std::int64_t>(blockIdx.x);
  for (int n = static_cast<int>(threadIdx.x); n < (heads + kv_heads) * groups; n += threads) {
    const int head = n / groups;
    const int i = n % groups * size;
    T* const row = head < heads ? q + (token * heads + head) * head_dim
                                : k + (token * kv_heads + head - heads) * head_dim;
    turn_group(row, i, rotating, cosines + i, sines + i);
  }
}

}  // namespace

Rotating rotating_by(const char* kernel, View q, View k, ConstView positions,
                     const RotaryRule& rule, Rotation direction) {
  const std::int64_t head_dim = q.extent(2);
  check_that(rule.dims <= 2 * most_pairs, kernel, "turns at most 256 dimensions of a head.");
  Rotating result;
  const std::vector<float> frequencies = rotary_frequencies(rule.dims, rule.base);
  std::copy(frequencies.begin(), frequencies.end(), result.frequencies);
  const int size = 16 / static_cast<int>(size_of(q.dtype()));
  result.pairs = static_cast<int>(rule.dims / 2);
  result.sine_sign = direction == Rotation::forward ? 1.0F : -1.0F;
  result.aligned = groups_are_aligned(size, result.pairs, {q, k}) && head_dim % size == 0;
  result.positions = positions.data<std::int32_t>();
  return result;
}

void rotary(Queue& queue, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation direction) {
  constexpr const char* kernel = "rotary";
  const Rotating by = rotating_by(kernel, q, k, positions, rule, direction);
  with_precision(kernel, q.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, rotate<T>, {.blocks = q.extent(0), .threads = threads}, q.data<T>(),
           k.data<T>(), by, q.extent(1), k.extent(1), q.extent(2));
  });
}

}  // namespace precis::cuda
