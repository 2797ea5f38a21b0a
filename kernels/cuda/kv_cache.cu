#include "kernels/check.hpp"
#include "kernels/cuda/block.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/number.hpp"

namespace precis::cuda {
namespace {

constexpr int tile = warp_size;
constexpr int threads = 256;
constexpr int warps = threads / warp_size;

/// A block: 32 tokens by 32 dimensions of one head. Keys are read along a head and written along
/// the tokens, which mostly lie beside each other in the cache.
template <class T>
__global__ void __launch_bounds__(threads)
    write_tiles(T* key_blocks, T* value_blocks, const T* k, const T* v, const std::int32_t* slots,
                std::int64_t tokens, int kv_heads, int head_dim) {
  __shared__ T keys[tile][tile + 1];
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int dim_tiles = (head_dim + tile - 1) / tile;
  const int head = static_cast<int>(blockIdx.y) / dim_tiles;
  const int first_dim = static_cast<int>(blockIdx.y) % dim_tiles * tile;
  const std::int64_t first = std::int64_t{blockIdx.x} * tile;
  const auto base = [&](std::int64_t slot) {
    return (slot / attention_block * kv_heads + head) * head_dim * attention_block;
  };
  for (int row = warp; row < tile; row += warps) {
    const std::int64_t token = first + row;
    const int dim = first_dim + lane;
    if (token < tokens && dim < head_dim) {
      const std::int64_t from = (token * kv_heads + head) * head_dim + dim;
      const std::int64_t slot = slots[token];
      keys[row][lane] = k[from];
      value_blocks[base(slot) + slot % attention_block * head_dim + dim] = v[from];
    }
  }
  __syncthreads();
  if (const std::int64_t token = first + lane; token < tokens) {
    const std::int64_t slot = slots[token];
    T* to = key_blocks + base(slot) + slot % attention_block;
    for (int row = warp; row < tile && first_dim + row < head_dim; row += warps) {
      to[static_cast<std::int64_t>(first_dim + row) * attention_block] = keys[lane][row];
    }
  }
}

}  // namespace

// The numbers in slots are on the device and not checked.
void kv_write(Queue& queue, View key_blocks, View value_blocks, ConstView k, ConstView v,
              ConstView slots) {
  constexpr const char* kernel = "kv_write";
  check_rank(kernel, "k", k, 3);
  check_rank(kernel, "key_blocks", key_blocks, 4);
  const std::int64_t tokens = k.extent(0);
  const std::int64_t kv_heads = k.extent(1);
  const std::int64_t head_dim = k.extent(2);
  const std::int64_t blocks = key_blocks.extent(0);
  check_argument(kernel, "v", v, k.dtype(), k.shape());
  check_argument(kernel, "key_blocks", key_blocks, k.dtype(),
                 {blocks, kv_heads, head_dim, attention_block});
  check_argument(kernel, "value_blocks", value_blocks, k.dtype(),
                 {blocks, kv_heads, attention_block, head_dim});
  check_argument(kernel, "slots", slots, DType::i32, {tokens});
  with_precision(kernel, k.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, write_tiles<T>,
           {.blocks = blocks_for(tokens, tile),
            .threads = threads,
            .blocks_y = kv_heads * blocks_for(head_dim, tile)},
           key_blocks.data<T>(), value_blocks.data<T>(), k.data<T>(), v.data<T>(),
           slots.data<std::int32_t>(), tokens, kv_heads, head_dim);
  });
}

void kv_copy_block(Queue& queue, View key_blocks, View value_blocks, std::int64_t from,
                   std::int64_t to) {
  constexpr const char* kernel = "kv_copy_block";
  check_rank(kernel, "key_blocks", key_blocks, 4);
  check_rank(kernel, "value_blocks", value_blocks, 4);
  for (const View& blocks : {key_blocks, value_blocks}) {
    const std::int64_t count = blocks.extent(0);
    check_that(from >= 0 && from < count && to >= 0 && to < count, kernel,
               "a block outside of the cache was asked for.");
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
