// Groups of neighbouring elements, which a thread moves at once: 16 bytes per instruction where
// memory is aligned, else element by element. A thread has the same elements either way, so results
// do not depend on where a tensor lies.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>

#include "kernels/cuda/number.hpp"
#include "kernels/cuda/ptx.hpp"

namespace precis::cuda {

/// Activations of type T that 16 bytes hold.
template <class T>
inline constexpr int group_size = 16 / static_cast<int>(sizeof(T));

template <int size>
struct Group {
  float x[size];
};

/// Whether groups of `size` elements begin at multiples of 16 bytes in all these tensors, which
/// have rows of `width` elements. Tensors that are left out do not count.
inline bool groups_are_aligned(int size, std::int64_t width,
                               std::initializer_list<ConstView> tensors) {
  bool aligned = width % size == 0;
  for (const ConstView& tensor : tensors) {
    aligned = aligned && reinterpret_cast<std::uintptr_t>(tensor.bytes()) % 16 == 0;
  }
  return aligned;
}

/// How a whole group in aligned memory is moved.
template <int size>
struct WholeGroup {
  static constexpr int count = size;

  template <class T>
  __device__ Group<size> load(const T* from) const {
    constexpr int vectors = size * static_cast<int>(sizeof(T)) / 16;
    uint4 raw[vectors];
    for (int i = 0; i < vectors; ++i) {
      raw[i] = reinterpret_cast<const uint4*>(from)[i];
    }
    Group<size> group;
    for (int i = 0; i < vectors; ++i) {
      const unsigned words[] = {raw[i].x, raw[i].y, raw[i].z, raw[i].w};
      for (int w = 0; w < 4; ++w) {
        if constexpr (sizeof(T) == 4) {
          group.x[4 * i + w] = __uint_as_float(words[w]);
        } else {
          group.x[8 * i + 2 * w] = __uint_as_float(words[w] << 16);
          group.x[8 * i + 2 * w + 1] = __uint_as_float(words[w] & 0xffff0000U);
        }
      }
    }
    return group;
  }
  template <class T>
  __device__ void store(T* to, const Group<size>& group) const {
    for (int i = 0; i < size * static_cast<int>(sizeof(T)) / 16; ++i) {
      unsigned words[4];
      for (int w = 0; w < 4; ++w) {
        if constexpr (sizeof(T) == 4) {
          words[w] = __float_as_uint(group.x[4 * i + w]);
        } else {
          words[w] = pack_bf16(group.x[8 * i + 2 * w], group.x[8 * i + 2 * w + 1]);
        }
      }
      reinterpret_cast<uint4*>(to)[i] = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
};

/// How the first `count` elements of a group are moved, aligned or not; zeros are loaded after
/// them.
template <int size>
struct PartOfGroup {
  int count;

  template <class T>
  __device__ Group<size> load(const T* from) const {
    Group<size> group;
    for (int e = 0; e < size; ++e) {
      group.x[e] = e < count ? to_f32(from[e]) : 0.0F;
    }
    return group;
  }
  template <class T>
  __device__ void store(T* to, const Group<size>& group) const {
    for (int e = 0; e < size; ++e) {
      if (e < count) {
        to[e] = from_f32<T>(group.x[e]);
      }
    }
  }
};

/// Calls body(how) for the group at `begin` of n elements, `how` one of the two above. The choice
/// is made once for all that the body loads, so that its loads are under way together.
template <int size, class Body>
__device__ void with_group(std::int64_t n, std::int64_t begin, bool aligned, const Body& body) {
  if constexpr (size > 1) {
    if (aligned && begin + size <= n) {
      body(WholeGroup<size>{});
      return;
    }
  }
  if (begin < n) {
    body(PartOfGroup<size>{static_cast<int>(n - begin < size ? n - begin : size)});
  }
}

}  // namespace precis::cuda
