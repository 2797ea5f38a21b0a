#include "kernels/cuda/decode_attention.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

template <class T>
struct DecodeArguments {
  T* out;
  const T *q, *key_blocks, *value_blocks;
  const std::int32_t *tables, *lengths;
  float* partial;         ///< (B, H, splits, D) sums; null where there is one split, out then.
  float2* partial_terms;  ///< (B, H, splits): maximum, and sum of the weights.
  AttentionShape shape;   ///< tokens and sequences: B
  int table_length, splits;
  float scale;
};

/// A block: `rows` query heads of one key-value head against one split. Groups of value numbers
/// that are read at once: `group`, of which a lane has up to `parts` a row.
template <class T, int rows, int group, int parts>
__global__ void __launch_bounds__(attention_threads, 4) attend_split(DecodeArguments<T> x) {
  const AttentionShape& shape = x.shape;
  const int head_dim = shape.head_dim;
  const int head_chunks = (shape.group() + rows - 1) / rows;
  const int sequence = static_cast<int>(blockIdx.x) / (shape.kv_heads * head_chunks);
  const int kv_head = static_cast<int>(blockIdx.x) / head_chunks % shape.kv_heads;
  const int first_in_group = static_cast<int>(blockIdx.x) % head_chunks * rows;
  const int heads = min(rows, shape.group() - first_in_group);
  const int first_head = kv_head * shape.group() + first_in_group;
  const int split = static_cast<int>(blockIdx.y);
  const int count = min(split_keys, x.lengths[sequence] - split * split_keys);
  if (count <= 0) {
    return;
  }
  const DecodeMemory<rows, group, parts> shared(head_dim);
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t row = static_cast<std::int64_t>(sequence) * shape.heads + first_head;
  for (int r = warp; r < rows; r += attention_warps) {
    for (int dim = lane; dim < head_dim; dim += warp_size) {
      shared.q[dim * rows + r] = r < heads ? to_f32(x.q[(row + r) * head_dim + dim]) : 0.0F;
    }
  }
  __syncthreads();

  const std::int32_t* table = x.tables + std::int64_t{sequence} * x.table_length;
  const auto place = [&](int block) {
    const std::int64_t number = table[split * split_blocks + block];
    return (number * shape.kv_heads + kv_head) * head_dim * cache_block;
  };
  const int blocks = (count + cache_block - 1) / cache_block;
  for (int block = warp; block < split_blocks; block += attention_warps) {
    float* scores = shared.weights + block * cache_block;
    if (block < blocks) {
      find_scores<T, rows>(scores, x.key_blocks + place(block), shared.q, head_dim,
                           count - block * cache_block, x.scale);
    } else {
      for (int r = 0; r < rows; ++r) {
        scores[r * split_keys + lane] = nothing;
      }
    }
  }
  __syncthreads();
  for (int r = warp; r < rows; r += attention_warps) {
    const float2 of_row = find_weights(shared.weights + r * split_keys);
    if (lane == 0) {
      shared.terms[r] = of_row;
    }
  }
  __syncthreads();

  // A row of values takes `lanes` lanes, so that a warp reads several at once.
  const int lanes = min(warp_size, head_dim / group);
  const int rows_at_once = warp_size / lanes;
  const int my_row = lane / lanes;
  float sums[rows][parts][group] = {};
  for (int block = warp; block < blocks; block += attention_warps) {
    const T* values = x.value_blocks + place(block);
    const int end = min(cache_block, count - block * cache_block);
    const float* weights = shared.weights + block * cache_block;
#pragma unroll(rows == 1 ? 8 : 4)
    for (int key = my_row; key < end; key += rows_at_once) {
#pragma unroll
      for (int part = 0; part < parts; ++part) {
        const int dim = (lane % lanes + part * warp_size) * group;
        if (my_row < rows_at_once && dim < head_dim) {
          float value[group];
          load_group(value, values + key * head_dim + dim);
#pragma unroll
          for (int r = 0; r < rows; ++r) {
            const float p = weights[r * split_keys + key];
#pragma unroll
            for (int i = 0; i < group; ++i) {
              sums[r][part][i] += p * value[i];
            }
          }
        }
      }
    }
  }
  using Memory = DecodeMemory<rows, group, parts>;
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    float* to = shared.sums + (warp * rows + r) * Memory::sums_row;
#pragma unroll
    for (int part = 0; part < parts; ++part) {
      const int dim = (lane % lanes + part * warp_size) * group;
#pragma unroll
      for (int i = 0; i < group; ++i) {
        if (my_row < rows_at_once && dim < head_dim) {
          to[my_row * head_dim + dim + i] = sums[r][part][i];
        }
      }
    }
  }
  __syncthreads();
  for (int r = 0; r < heads; ++r) {
    for (int dim = static_cast<int>(threadIdx.x); dim < head_dim; dim += attention_threads) {
      float sum = 0.0F;
      for (int from = 0; from < attention_warps; ++from) {
        for (int i = 0; i < rows_at_once; ++i) {
          sum += shared.sums[(from * rows + r) * Memory::sums_row + i * head_dim + dim];
        }
      }
      if (x.partial == nullptr) {
        x.out[(row + r) * head_dim + dim] = from_f32<T>(sum / shared.terms[r].y);
      } else {
        x.partial[((row + r) * x.splits + split) * head_dim + dim] = sum;
      }
    }
    if (x.partial != nullptr && threadIdx.x == 0) {
      x.partial_terms[(row + r) * x.splits + split] = shared.terms[r];
    }
  }
}

/// A warp: the splits of one head of one sequence, in order.
template <class T>
__global__ void __launch_bounds__(attention_threads) join_splits(DecodeArguments<T> x) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t row =
      std::int64_t{blockIdx.x} * attention_warps + static_cast<int>(threadIdx.x) / warp_size;
  const std::int64_t sequence = row / x.shape.heads;
  if (sequence >= x.shape.sequences) {
    return;
  }
  const int splits = (x.lengths[sequence] + split_keys - 1) / split_keys;
  const float2* terms = x.partial_terms + row * x.splits;
  float max = terms[0].x;
  for (int split = 1; split < splits; ++split) {
    max = fmaxf(max, terms[split].x);
  }
  for (int dim = lane; dim < x.shape.head_dim; dim += warp_size) {
    float sum = 0.0F;
    float total = 0.0F;
    for (int split = 0; split < splits; ++split) {
      const float factor = expf(terms[split].x - max);
      sum += factor * x.partial[(row * x.splits + split) * x.shape.head_dim + dim];
      total += factor * terms[split].y;
    }
    x.out[row * x.shape.head_dim + dim] = from_f32<T>(sum / total);
  }
}

template <class T, int rows, int group, int parts>
void decode_rows(Queue& queue, const DecodeArguments<T>& x) {
  const std::int64_t chunks = blocks_for(x.shape.group(), rows);
  launch(queue, "decode_attention", attend_split<T, rows, group, parts>,
         {.blocks = x.shape.sequences * x.shape.kv_heads * chunks,
          .threads = attention_threads,
          .shared_bytes = DecodeMemory<rows, group, parts>::bytes(x.shape.head_dim),
          .blocks_y = x.splits},
         x);
}

template <class T, int group, int parts>
void decode(Queue& queue, const DecodeArguments<T>& x) {
  if (x.shape.group() == 1) {
    decode_rows<T, 1, group, parts>(queue, x);
  } else if (x.shape.group() <= 4) {
    decode_rows<T, 4, group, parts>(queue, x);
  } else {
    decode_rows<T, 8, group, parts>(queue, x);
  }
  if (x.partial != nullptr) {
    launch(queue, "decode_attention", join_splits<T>,
           {.blocks = blocks_for(std::int64_t{x.shape.sequences} * x.shape.heads, attention_warps),
            .threads = attention_threads},
           x);
  }
}

}  // namespace

void decode_attention(Queue& queue, View out, ConstView q, ConstView key_blocks,
                      ConstView value_blocks, ConstView tables, ConstView lengths, double scale) {
  constexpr const char* kernel = "decode_attention";
  const std::int64_t sequences = q.extent(0);
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = key_blocks.extent(1);
  check_that(head_dim <= largest_head_dim, kernel,
             "on CUDA a head has at most 256 dimensions; compute with --device cpu.");
  const auto number = [](std::int64_t x) { return static_cast<int>(x); };
  const AttentionShape shape{number(sequences), number(heads), number(kv_heads), number(head_dim),
                             number(sequences)};
  const std::int64_t splits = blocks_for(tables.extent(1), split_blocks);
  float* partial = nullptr;
  const std::int64_t partials = sequences * heads * splits;
  if (splits > 1) {
    // The terms come first: they are aligned to 8 bytes.
    partial = scratch_of(queue).of<float>(partials * (head_dim + 2));
  }
  with_precision(kernel, q.dtype(), [&](auto type) {
    using T = decltype(type);
    const DecodeArguments<T> x{.out = out.data<T>(),
                               .q = q.data<T>(),
                               .key_blocks = key_blocks.data<T>(),
                               .value_blocks = value_blocks.data<T>(),
                               .tables = tables.data<std::int32_t>(),
                               .lengths = lengths.data<std::int32_t>(),
                               .partial = partial == nullptr ? nullptr : partial + 2 * partials,
                               .partial_terms = reinterpret_cast<float2*>(partial),
                               .shape = shape,
                               .table_length = number(tables.extent(1)),
                               .splits = number(splits),
                               .scale = static_cast<float>(scale)};
    constexpr int group = 16 / static_cast<int>(sizeof(T));
    if (head_dim % group == 0) {
      decode<T, group, largest_head_dim / (warp_size * group)>(queue, x);
    } else {
      decode<T, 1, largest_head_dim / warp_size>(queue, x);
    }
  });
}

}  // namespace precis::cuda
