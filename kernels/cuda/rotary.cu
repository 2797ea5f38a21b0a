#include <algorithm>
#include <vector>

#include "kernels/check.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/rotary_frequency.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 128;
constexpr std::int64_t most_pairs = 128;

/// They travel with the launch, so that no copy has to be waited for.
struct Frequencies {
  float of[most_pairs];
};

/// One block a token.
template <class T>
__global__ void rotate(T* x, const std::int32_t* positions, const Frequencies frequencies,
                       int pairs, int heads, int head_dim, float sine_sign, bool aligned) {
  constexpr int size = group_size<T>;
  __shared__ float cosines[most_pairs];
  __shared__ float sines[most_pairs];
  const auto position = static_cast<float>(positions[blockIdx.x]);
  for (int i = static_cast<int>(threadIdx.x); i < pairs; i += threads) {
    const float angle = position * frequencies.of[i];
    cosines[i] = cosf(angle);
    sines[i] = sine_sign * sinf(angle);
  }
  __syncthreads();
  T* token = x + static_cast<std::int64_t>(blockIdx.x) * heads * head_dim;
  const int groups = (pairs + size - 1) / size;
  for (int k = static_cast<int>(threadIdx.x); k < heads * groups; k += threads) {
    const int i = k % groups * size;
    T* first = token + k / groups * head_dim + i;
    T* second = first + pairs;
    const float* const cosine = cosines + i;
    const float* const sine = sines + i;
    with_group<size>(pairs, i, aligned, [&](const auto& how) {
      auto a = how.load(first);
      auto b = how.load(second);
      for (int e = 0; e < size; ++e) {
        const float before = a.x[e];
        a.x[e] = before * cosine[e] - b.x[e] * sine[e];
        b.x[e] = b.x[e] * cosine[e] + before * sine[e];
      }
      how.store(first, a);
      how.store(second, b);
    });
  }
}

}  // namespace

void rotary(Queue& queue, View x, ConstView positions, std::int64_t dims, double base,
            Rotation direction) {
  constexpr const char* kernel = "rotary";
  check_rank(kernel, "x", x, 3);
  check_argument(kernel, "positions", positions, DType::i32, {x.extent(0)});
  check_that(dims > 0 && dims % 2 == 0 && dims <= x.extent(2), kernel,
             "dims must be an even number from 2 to the head dimension.");
  check_that(dims <= 2 * most_pairs, kernel, "turns at most 256 dimensions of a head.");
  const std::vector<float> host = rotary_frequencies(dims, base);
  Frequencies frequencies{};
  std::copy(host.begin(), host.end(), frequencies.of);
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    constexpr int size = group_size<T>;
    const bool aligned = groups_are_aligned(size, dims / 2, {x}) && x.extent(2) % size == 0;
    launch(queue, kernel, rotate<T>, {.blocks = x.extent(0), .threads = threads}, x.data<T>(),
           positions.data<std::int32_t>(), frequencies, dims / 2, x.extent(1), x.extent(2),
           direction == Rotation::forward ? 1.0F : -1.0F, aligned);
  });
}

}  // namespace precis::cuda
