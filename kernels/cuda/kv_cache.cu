#include <algorithm>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/number.hpp"
#include "kernels/cuda/rotary.hpp"

namespace precis::cuda {
namespace {

constexpr int tile = warp_size;
constexpr int threads = 256;
constexpr int warps = threads / warp_size;
/// Heads of queries that a block turns by angles it computed once.
constexpr int queries_at_once = 4;
/// Columns after a row of keys in shared memory, so that a column's elements are in all banks (in
/// bf16 where the head dimension is a multiple of 4).
template <class T>
constexpr int padding = 4 / static_cast<int>(sizeof(T));

template <class T>
struct Tokens {
  std::int64_t count;
  int heads, kv_heads, head_dim;
  T *q, *k;
  const T* v;
  const std::int32_t* slots;
};

/// Turns `count` heads of x (N,heads,D) of the tokens of a tile that begins at `first`.
template <class T>
__device__ void rotate_tile(T* x, int heads, int head, int count, std::int64_t first,
                            const Tokens<T>& tokens, const Rotating& rotating) {
  constexpr int size = group_size<T>;
  const int groups = (rotating.pairs + size - 1) / size;
  for (int n = static_cast<int>(threadIdx.x); n < tile * groups; n += threads) {
    const std::int64_t token = first + n / groups;
    if (token >= tokens.count) {
      return;
    }
    const int i = n % groups * size;
    const auto position = static_cast<float>(rotating.positions[token]);
    float cosines[size];
    float sines[size];
    for (int e = 0; e < size; ++e) {
      rotating.turn(cosines[e], sines[e], position, i + e);
    }
    for (int h = head; h < head + count; ++h) {
      turn_group(x + (token * heads + h) * tokens.head_dim, i, rotating, cosines, sines);
    }
  }
}

/// Writes one head's keys and values of a tile into the cache. Keys are read along a head and
/// written along the tokens, which mostly lie beside each other in the cache.
template <class T>
__device__ void write_tile(T* key_blocks, T* value_blocks, int head, std::int64_t first,
                           const Tokens<T>& tokens) {
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int head_dim = tokens.head_dim;
  const int stride = head_dim + padding<T>;
  T* const keys = reinterpret_cast<T*>(shared_memory());  // (tile, stride)
  const auto base = [&](std::int64_t slot) {
    return (slot / attention_block * tokens.kv_heads + head) * head_dim * attention_block;
  };
  for (int row = warp; row < tile && first + row < tokens.count; row += warps) {
    const std::int64_t from = ((first + row) * tokens.kv_heads + head) * head_dim;
    const std::int64_t slot = tokens.slots[first + row];
    T* const values = value_blocks + base(slot) + slot % attention_block * head_dim;
    for (int dim = lane; dim < head_dim; dim += warp_size) {
      keys[row * stride + dim] = tokens.k[from + dim];
      values[dim] = tokens.v[from + dim];
    }
  }
  __syncthreads();
  if (first + lane < tokens.count) {
    const std::int64_t slot = tokens.slots[first + lane];
    T* const to = key_blocks + base(slot) + slot % attention_block;
    for (int dim = warp; dim < head_dim; dim += warps) {
      to[static_cast<std::int64_t>(dim) * attention_block] = keys[lane * stride + dim];
    }
  }
}

/// A block: 32 tokens and some heads of their queries, which it turns, or one head of their keys
/// and values, which it turns and writes.
template <class T>
__global__ void __launch_bounds__(threads)
    rotate_and_write(T* key_blocks, T* value_blocks, const Tokens<T> tokens,
                     const Rotating rotating, int blocks_of_queries) {
  const std::int64_t first = std::int64_t{blockIdx.x} * tile;
  const int y = static_cast<int>(blockIdx.y);
  if (y < blocks_of_queries) {
    const int head = y * queries_at_once;
    rotate_tile(tokens.q, tokens.heads, head, min(queries_at_once, tokens.heads - head), first,
                tokens, rotating);
    return;
  }
  const int head = y - blocks_of_queries;
  if (rotating.pairs > 0) {
    rotate_tile(tokens.k, tokens.kv_heads, head, 1, first, tokens, rotating);
    __syncthreads();
  }
  write_tile(key_blocks, value_blocks, head, first, tokens);
}

}  // namespace

void rotary_kv_write(Queue& queue, View key_blocks, View value_blocks, View q, View k, ConstView v,
                     ConstView positions, ConstView slots, const RotaryRule& rule) {
  constexpr const char* kernel = "rotary_kv_write";
  const std::int64_t count = k.extent(0);
  const std::int64_t kv_heads = k.extent(1);
  const std::int64_t head_dim = k.extent(2);
  const bool turns = rule.dims != 0;
  const Rotating by =
      turns ? rotating_by(kernel, q, k, positions, rule, Rotation::forward) : Rotating{};
  const std::int64_t heads = turns ? q.extent(1) : 0;
  const std::int64_t blocks_of_queries = blocks_for(heads, queries_at_once);
  with_precision(kernel, k.dtype(), [&](auto number) {
    using T = decltype(number);
    const Tokens<T> tokens{.count = count,
                           .heads = static_cast<int>(heads),
                           .kv_heads = static_cast<int>(kv_heads),
                           .head_dim = static_cast<int>(head_dim),
                           .q = turns ? q.data<T>() : nullptr,
                           .k = k.data<T>(),
                           .v = v.data<T>(),
                           .slots = slots.data<std::int32_t>()};
    launch(queue, kernel, rotate_and_write<T>,
           {.blocks = blocks_for(count, tile),
            .threads = threads,
            .shared_bytes = tile * (head_dim + padding<T>)*size_of(k.dtype()),
            .blocks_y = blocks_of_queries + kv_heads},
           key_blocks.data<T>(), value_blocks.data<T>(), tokens, by, blocks_of_queries);
  });
}

void kv_copy_block(Queue& queue, View key_blocks, View value_blocks, std::int64_t from,
                   std::int64_t to) {
  for (const View& blocks : {key_blocks, value_blocks}) {
    const View target = blocks.rows(to, to + 1);
    if (from != to) {
      check(cudaMemcpyAsync(target.bytes(), blocks.rows(from, from + 1).bytes(),
                            static_cast<std::size_t>(target.size_bytes()), cudaMemcpyDeviceToDevice,
                            stream_of(queue)),
            "cudaMemcpyAsync");
    }
  }
}

}  // namespace precis::cuda
