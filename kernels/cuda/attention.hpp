// What the attention kernels share: their sizes, and how a block finds its tile of a packed batch.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "kernels/cuda/block.hpp"
#include "kernels/view.hpp"

namespace precis::cuda {

struct AttentionShape {
  int tokens, heads, kv_heads, head_dim, sequences;

  [[nodiscard]] __host__ __device__ int group() const { return heads / kv_heads; }
  /// Numbers of a token.
  [[nodiscard]] __host__ __device__ int q_stride() const { return heads * head_dim; }
  [[nodiscard]] __host__ __device__ int kv_stride() const { return kv_heads * head_dim; }
  [[nodiscard]] __device__ std::int64_t q_place(std::int64_t token, int head) const {
    return (token * heads + head) * head_dim;
  }
  [[nodiscard]] __device__ std::int64_t kv_place(std::int64_t token, int kv_head) const {
    return (token * kv_heads + kv_head) * head_dim;
  }
};

/// Threads of every attention kernel's block.
inline constexpr int attention_threads = 128;
inline constexpr int attention_warps = attention_threads / warp_size;
inline constexpr int largest_head_dim = 256;
/// The score of a key that a query does not see.
inline constexpr float nothing = -std::numeric_limits<float>::infinity();

/// The sizes of q (N,H,D), k (N,K,D) and offsets (B+1). Throws Error for more dimensions of a head
/// than these kernels have.
[[nodiscard]] AttentionShape attention_shape(const char* kernel, ConstView q, ConstView k,
                                             ConstView offsets);

/// Whether kernels with asynchronous copies and tensor cores take these arguments.
[[nodiscard]] bool fits_tensor_cores(DType dtype, int head_dim,
                                     std::initializer_list<ConstView> arguments);

/// Calls function(integral_constant<int, D>) for the head dimensions of fits_tensor_cores.
template <class Function>
void with_head_dim(int head_dim, const Function& function) {
  switch (head_dim) {
    case 64:
      return function(std::integral_constant<int, 64>{});
    case 80:
      return function(std::integral_constant<int, 80>{});
    case 96:
      return function(std::integral_constant<int, 96>{});
    case 128:
      return function(std::integral_constant<int, 128>{});
    case 256:
      return function(std::integral_constant<int, 256>{});
  }
}

/// Calls function(integral_constant<int, parts>): a warp holds a row of head_dim elements in
/// `parts` registers per lane.
template <class Function>
void with_parts(int head_dim, const Function& function) {
  if (head_dim <= 2 * warp_size) {
    function(std::integral_constant<int, 2>{});
  } else if (head_dim <= 4 * warp_size) {
    function(std::integral_constant<int, 4>{});
  } else {
    function(std::integral_constant<int, largest_head_dim / warp_size>{});
  }
}

/// A tile of consecutive tokens of one sequence.
struct SequenceTile {
  int segment;  ///< The number of the sequence plus one, or of a gap; -1: no such tile.
  int begin;    ///< The sequence's first token in the batch.
  int length;   ///< Tokens of the sequence.
  int number;   ///< Of the tile in the sequence.
  int tiles;    ///< Of the sequence.
  bool gap;     ///< Tokens before the first or after the last sequence: their results are zero.
};

/// No fewer than the tiles of `rows` tokens that the batch has, known without its offsets.
[[nodiscard]] inline std::int64_t most_tiles(const AttentionShape& shape, int rows) {
  return std::min(shape.tokens, shape.tokens / rows + shape.sequences + 2);
}

/// Tile `number` of the batch cut into tiles of `rows` tokens, sequence by sequence. All lanes of a
/// warp call it.
template <int rows>
__device__ SequenceTile find_tile(const std::int32_t* offsets, const AttentionShape& shape,
                                  int number) {
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int segments = shape.sequences + 2;  // with a gap before and one after
  const auto border = [&](int segment) {
    return segment == 0 ? 0 : segment < segments ? offsets[segment - 1] : shape.tokens;
  };
  for (int first = 0; first < segments; first += warp_size) {
    const int segment = first + lane;
    const int begin = segment < segments ? border(segment) : 0;
    const int length = segment < segments ? border(segment + 1) - begin : 0;
    const int tiles = (length + rows - 1) / rows;
    int tiles_so_far = tiles;
    for (int step = 1; step < warp_size; step *= 2) {
      const int before = __shfl_up_sync(all_lanes, tiles_so_far, step);
      tiles_so_far += lane >= step ? before : 0;
    }
    const unsigned beyond = __ballot_sync(all_lanes, number < tiles_so_far);
    if (beyond != 0) {
      const int owner = __ffs(static_cast<int>(beyond)) - 1;
      const auto of_owner = [&](int value) { return __shfl_sync(all_lanes, value, owner); };
      const int found = first + owner;
      return {found,
              of_owner(begin),
              of_owner(length),
              number - of_owner(tiles_so_far - tiles),
              of_owner(tiles),
              found == 0 || found == segments - 1};
    }
    number -= __shfl_sync(all_lanes, tiles_so_far, warp_size - 1);
  }
  return {-1, 0, 0, 0, 0, false};
}

/// x[row * stride + 0 .. width) = 0 for rows of this block.
template <class T>
__device__ void clear_rows(T* x, std::int64_t stride, int rows, int width) {
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  for (int row = warp; row < rows; row += attention_warps) {
    for (int i = lane; i < width; i += warp_size) {
      x[row * stride + i] = T{};
    }
  }
}

}  // namespace precis::cuda
