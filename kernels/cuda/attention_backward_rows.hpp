// Attention's backward pass on the ordinary arithmetic units, for any precision and head dimension.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention_backward.hpp"
#include "kernels/cuda/attention_rows.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {

/// Tiles of queries, their dout, keys and values in shared memory, and for each pair the weight p
/// and the gradient ds of its score: (query, key) or (key, query), as the kernel sums over.
struct RowTiles {
  static constexpr int weight_stride = tile_rows + 4;
  float *q, *dout, *k, *v, *p, *ds;

  __device__ explicit RowTiles(int stride)
      : q(reinterpret_cast<float*>(shared_memory())),
        dout(q + tile_rows * stride),
        k(dout + tile_rows * stride),
        v(k + tile_rows * stride),
        p(v + tile_rows * stride),
        ds(p + tile_rows * weight_stride) {}
  [[nodiscard]] static std::int64_t bytes(int head_dim) {
    return 4 * row_tile_bytes(head_dim) +
           2 * tile_rows * weight_stride * static_cast<std::int64_t>(sizeof(float));
  }

  /// p and ds of queries query .. and keys key .. of the sequence, this warp's rows of the queries.
  template <bool by_key>
  __device__ void find_weights(const QueryTerms* terms, int length, int query, int key, int stride,
                               float scale) const {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    const int first = static_cast<int>(threadIdx.x) / warp_size * warp_rows;
    float scores[warp_rows];
    float dp[warp_rows];
    row_products(scores, q + first * stride, k, stride);
    row_products(dp, dout + first * stride, v, stride);
#pragma unroll
    for (int r = 0; r < warp_rows; ++r) {
      const int row = query + first + r;
      const bool seen = row < length && key + lane <= row;
      const QueryTerms of_row = seen ? terms[row] : QueryTerms{};
      const float weight = seen ? expf(scale * scores[r] - of_row.log_sum_exp) : 0.0F;
      const int place =
          by_key ? lane * weight_stride + first + r : (first + r) * weight_stride + lane;
      if constexpr (!by_key) {
        p[place] = weight;  // of no use for dq
      }
      ds[place] = seen ? weight * (dp[r] - of_row.delta) : 0.0F;
    }
  }
};

/// A block: tile_rows keys of one key-value head; sums over the heads of its group and the queries.
template <class T, int parts>
__global__ void __launch_bounds__(attention_threads, 2) key_gradient_rows(BackwardArguments<T> x) {
  const SequenceTile tile = find_tile<tile_rows>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  const int head_dim = x.shape.head_dim;
  const int first = tile.number * tile_rows;
  const int count = min(tile_rows, tile.length - first);
  const int kv_head = static_cast<int>(blockIdx.y);
  const std::int64_t place = x.shape.kv_place(tile.begin + first, kv_head);
  const int kv_stride = x.shape.kv_stride();
  if (tile.gap) {
    clear_rows(x.dk + place, kv_stride, count, head_dim);
    return clear_rows(x.dv + place, kv_stride, count, head_dim);
  }
  const int stride = row_stride(head_dim);
  const int warp_row = static_cast<int>(threadIdx.x) / warp_size * warp_rows;
  const RowTiles shared(stride);
  load_rows(shared.k, x.k + place, kv_stride, count, head_dim, 1.0F);
  load_rows(shared.v, x.v + place, kv_stride, count, head_dim, 1.0F);
  WarpRows<parts> dk;
  WarpRows<parts> dv;
  dk.clear();
  dv.clear();
  for (int head = kv_head * x.shape.group(); head < (kv_head + 1) * x.shape.group(); ++head) {
    for (int query = first; query < tile.length; query += tile_rows) {
      __syncthreads();
      const std::int64_t from = x.shape.q_place(tile.begin + query, head);
      const int rows = min(tile_rows, tile.length - query);
      load_rows(shared.q, x.q + from, x.shape.q_stride(), rows, head_dim, 1.0F);
      load_rows(shared.dout, x.dout + from, x.shape.q_stride(), rows, head_dim, 1.0F);
      __syncthreads();
      shared.find_weights<false>(x.terms_of(tile, head), tile.length, query, first, stride,
                                 x.scale);
      __syncthreads();
      dk.add_products(shared.ds + warp_row, RowTiles::weight_stride, shared.q, stride);
      dv.add_products(shared.p + warp_row, RowTiles::weight_stride, shared.dout, stride);
    }
  }
  const std::int64_t to = place + warp_row * kv_stride;
  dk.store(x.dk + to, kv_stride, count - warp_row, head_dim, x.scale);
  dv.store(x.dv + to, kv_stride, count - warp_row, head_dim, 1.0F);
}

/// A block: tile_rows queries of one head; sums over the keys.
template <class T, int parts>
__global__ void __launch_bounds__(attention_threads, 2)
    query_gradient_rows(BackwardArguments<T> x) {
  const SequenceTile tile = find_tile<tile_rows>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  const int head_dim = x.shape.head_dim;
  const int first = (tile.tiles - 1 - tile.number) * tile_rows;
  const int count = min(tile_rows, tile.length - first);
  const int head = static_cast<int>(blockIdx.y);
  const std::int64_t place = x.shape.q_place(tile.begin + first, head);
  if (tile.gap) {
    return clear_rows(x.dq + place, x.shape.q_stride(), count, head_dim);
  }
  const int stride = row_stride(head_dim);
  const int warp_row = static_cast<int>(threadIdx.x) / warp_size * warp_rows;
  const RowTiles shared(stride);
  load_rows(shared.q, x.q + place, x.shape.q_stride(), count, head_dim, 1.0F);
  load_rows(shared.dout, x.dout + place, x.shape.q_stride(), count, head_dim, 1.0F);
  WarpRows<parts> dq;
  dq.clear();
  for (int key = 0; key <= first; key += tile_rows) {
    __syncthreads();
    const std::int64_t from = x.shape.kv_place(tile.begin + key, head / x.shape.group());
    const int keys = min(tile_rows, tile.length - key);
    load_rows(shared.k, x.k + from, x.shape.kv_stride(), keys, head_dim, 1.0F);
    load_rows(shared.v, x.v + from, x.shape.kv_stride(), keys, head_dim, 1.0F);
    __syncthreads();
    shared.find_weights<true>(x.terms_of(tile, head), tile.length, first, key, stride, x.scale);
    __syncwarp();
    dq.add_products(shared.ds + warp_row, RowTiles::weight_stride, shared.k, stride);
  }
  dq.store(x.dq + place + warp_row * x.shape.q_stride(), x.shape.q_stride(), count - warp_row,
           head_dim, x.scale);
}

}  // namespace precis::cuda
