// How a thread turns a group of pairs of a head by its token's position.
#pragma once

#include <cstdint>

#include "kernels/cuda/group.hpp"
#include "kernels/kernels.hpp"

namespace precis::cuda {

inline constexpr int most_pairs = 128;

/// What a kernel knows of the rotation. The frequencies travel with the launch, so that no copy has
/// to be waited for.
struct Rotating {
  float frequencies[most_pairs] = {};  ///< 0 beyond `pairs`
  int pairs = 0;
  float sine_sign = 1.0F;  ///< -1 to turn back
  bool aligned = false;    ///< whether whole groups of q and of k can be moved
  const std::int32_t* positions = nullptr;

  __device__ void turn(float& cosine, float& sine, float position, int pair) const {
    const float angle = position * frequencies[pair];
    cosine = cosf(angle);
    sine = sine_sign * sinf(angle);
  }
};

/// Throws Error if more pairs turn than a launch can name.
[[nodiscard]] Rotating rotating_by(const char* kernel, View q, View k, ConstView positions,
                                   const RotaryRule& rule, Rotation direction);

/// Turns the group of pairs that begins at pair i of the head at `head`; cosine and sine are of
/// that group's pairs.
template <class T>
__device__ void turn_group(T* head, int i, const Rotating& rotating, const float* cosine,
                           const float* sine) {
  constexpr int size = group_size<T>;
  T* const first = head + i;
  T* const second = first + rotating.pairs;
  with_group<size>(rotating.pairs, i, rotating.aligned, [&](const auto& how) {
    auto a = how.load(first);
    auto b = how.load(second);
    for (int e = 0; e < size; ++e) {
      const float before = a.x[e];
      // Rounded as written, so that every kernel that turns a head gives the same bits.
      a.x[e] = fmaf(before, cosine[e], -__fmul_rn(b.x[e], sine[e]));
      b.x[e] = fmaf(b.x[e], cosine[e], __fmul_rn(before, sine[e]));
    }
    how.store(first, a);
    how.store(second, b);
  });
}

}  // namespace precis::cuda
