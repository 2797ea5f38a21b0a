// Attention's backward pass in bf16 on tensor cores.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention_backward.hpp"
#include "kernels/cuda/attention_tiles.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {

/// How the kernel of dk and dv cuts its work: both stay in registers, of a head dimension of 256 in
/// two slices by two blocks.
template <int D>
struct KeyGradientPlan {
  static constexpr int tall = D == 64 ? 2 : 1;
  static constexpr int keys = attention_warps * tall * band;
  static constexpr int queries = 32;
  static constexpr int slice = D <= 128 ? D : 128;
  static constexpr int slices = D / slice;
  static constexpr std::int64_t shared_bytes =
      tile_bytes<D>(2 * keys + 4 * queries) +
      2 * queries * static_cast<std::int64_t>(sizeof(QueryTerms));
};

/// How the kernel of dq does.
template <int D>
struct QueryGradientPlan {
  static constexpr int tall = D <= 128 ? 2 : 1;
  static constexpr int queries = attention_warps * tall * band;
  static constexpr int keys = 32;
  static constexpr std::int64_t shared_bytes =
      tile_bytes<D>(2 * queries + 4 * keys) +
      queries * static_cast<std::int64_t>(sizeof(QueryTerms));
  static_assert(queries <= attention_threads);
};

/// A block: KeyGradientPlan::keys keys of one key-value head; sums over the heads of its group and
/// the queries.
template <int D>
__global__ void __launch_bounds__(attention_threads, 2)
    key_gradient_tiles(BackwardArguments<BFloat16> x) {
  using Plan = KeyGradientPlan<D>;
  constexpr int tall = Plan::tall;
  constexpr int queries = Plan::queries;
  const SequenceTile tile = find_tile<Plan::keys>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  const int first = tile.number * Plan::keys;
  const int count = min(Plan::keys, tile.length - first);
  const int kv_head = static_cast<int>(blockIdx.y) / Plan::slices;
  const int slice = static_cast<int>(blockIdx.y) % Plan::slices * Plan::slice;
  const std::int64_t place = x.shape.kv_place(tile.begin + first, kv_head);
  const int kv_stride = x.shape.kv_stride();
  if (tile.gap) {
    clear_rows(x.dk + place + slice, kv_stride, count, Plan::slice);
    return clear_rows(x.dv + place + slice, kv_stride, count, Plan::slice);
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp_row = static_cast<int>(threadIdx.x) / warp_size * tall * band;
  auto* k = reinterpret_cast<BFloat16*>(shared_memory());
  BFloat16* v = k + Plan::keys * tile_stride<D>;
  BFloat16* stages = v + Plan::keys * tile_stride<D>;  // of queries and their dout
  constexpr int tile_size = queries * tile_stride<D>;
  auto* term_stages = reinterpret_cast<QueryTerms*>(stages + 4 * tile_size);

  // One step: one tile of queries of one head of the group.
  const int head_steps = (tile.length - first + queries - 1) / queries;
  const int steps = x.shape.group() * head_steps;
  const auto copy_step = [&](int step, int stage) {
    const int head = kv_head * x.shape.group() + step / head_steps;
    const int query = first + step % head_steps * queries;
    const std::int64_t from = x.shape.q_place(tile.begin + query, head);
    const int rows = tile.length - query;
    BFloat16* to = stages + 2 * stage * tile_size;
    copy_tile<D, queries>(to, x.q + from, x.shape.q_stride(), rows);
    copy_tile<D, queries>(to + tile_size, x.dout + from, x.shape.q_stride(), rows);
    if (const int i = static_cast<int>(threadIdx.x) * term_copy; i < queries) {
      const QueryTerms* terms = x.terms_of(tile, head) + query;
      copy_async(term_stages + stage * queries + i, terms + (i < rows ? i : 0), i < rows);
    }
    commit_copies();
  };

  copy_tile<D, Plan::keys>(k, x.k + place, kv_stride, count);
  copy_tile<D, Plan::keys>(v, x.v + place, kv_stride, count);
  copy_step(0, 0);
  TileC dk[tall][Plan::slice / 8];
  TileC dv[tall][Plan::slice / 8];
  clear(dk);
  clear(dv);
  for (int step = 0, stage = 0; step < steps; ++step, stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();
    if (step + 1 < steps) {
      copy_step(step + 1, stage ^ 1);
    }
    const int query = first + step % head_steps * queries;
    const int warp_first = first + warp_row;
    if (query + queries <= warp_first || warp_first >= tile.length) {
      continue;  // none of them sees a key of this warp
    }
    const BFloat16* q = stages + 2 * stage * tile_size;
    const BFloat16* dout = q + tile_size;
    const QueryTerms* terms = term_stages + stage * queries + lane % 4 * 2;
    TileC p[tall][queries / 8];  // (key, query)
    TileC ds[tall][queries / 8];
    multiply_transposed<D>(p, k + warp_row * tile_stride<D>, q);
    multiply_transposed<D>(ds, v + warp_row * tile_stride<D>, dout);
    if (query < warp_first + tall * band - 1) {
      hide_unseen(p, [&](int row, int column) { return warp_first + row <= query + column; });
    }
    // Queries beyond the sequence have zeros in everything, and so no part in the sums.
#pragma unroll
    for (int n = 0; n < queries / 8; ++n) {
      const float4 pair = *reinterpret_cast<const float4*>(terms + n * 8);
#pragma unroll
      for (int t = 0; t < tall; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float log_sum_exp = i % 2 == 0 ? pair.x : pair.z;
          const float delta = i % 2 == 0 ? pair.y : pair.w;
          float& weight = p[t][n].x[i];
          weight = fast_exp2(x.score_unit * weight - log_sum_exp);
          ds[t][n].x[i] = weight * (ds[t][n].x[i] - delta);
        }
      }
    }
    multiply<D>(dv, p, dout + slice);
    multiply<D>(dk, ds, q + slice);
  }
  const std::int64_t to = place + warp_row * kv_stride + slice;
  store_bands<D>(x.dk + to, kv_stride, count - warp_row, dk, k + warp_row * tile_stride<D>,
                 [&](int, int) { return x.scale; });
  store_bands<D>(x.dv + to, kv_stride, count - warp_row, dv, v + warp_row * tile_stride<D>,
                 [](int, int) { return 1.0F; });
}

/// A block: QueryGradientPlan::queries queries of one head; sums over the keys.
template <int D>
__global__ void __launch_bounds__(attention_threads, 2)
    query_gradient_tiles(BackwardArguments<BFloat16> x) {
  using Plan = QueryGradientPlan<D>;
  constexpr int tall = Plan::tall;
  constexpr int keys = Plan::keys;
  const SequenceTile tile =
      find_tile<Plan::queries>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  const int first = (tile.tiles - 1 - tile.number) * Plan::queries;
  const int end = min(first + Plan::queries, tile.length);  // of the queries, and of their keys
  const int head = static_cast<int>(blockIdx.y);
  const std::int64_t place = x.shape.q_place(tile.begin + first, head);
  const int q_stride = x.shape.q_stride();
  if (tile.gap) {
    return clear_rows(x.dq + place, q_stride, end - first, D);
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp_row = static_cast<int>(threadIdx.x) / warp_size * tall * band;
  const std::int64_t kv_place = x.shape.kv_place(tile.begin, head / x.shape.group());
  auto* q = reinterpret_cast<BFloat16*>(shared_memory());
  BFloat16* dout = q + Plan::queries * tile_stride<D>;
  BFloat16* stages = dout + Plan::queries * tile_stride<D>;  // of keys and values
  constexpr int tile_size = keys * tile_stride<D>;
  const auto copy_keys = [&](int key, int stage) {
    const std::int64_t from = kv_place + static_cast<std::int64_t>(key) * x.shape.kv_stride();
    BFloat16* to = stages + 2 * stage * tile_size;
    copy_tile<D, keys>(to, x.k + from, x.shape.kv_stride(), tile.length - key);
    copy_tile<D, keys>(to + tile_size, x.v + from, x.shape.kv_stride(), tile.length - key);
    commit_copies();
  };

  copy_tile<D, Plan::queries>(q, x.q + place, q_stride, end - first);
  copy_tile<D, Plan::queries>(dout, x.dout + place, q_stride, end - first);
  copy_keys(0, 0);
  auto* terms = reinterpret_cast<QueryTerms*>(stages + 4 * tile_size);
  if (const int row = static_cast<int>(threadIdx.x); row < Plan::queries) {
    terms[row] = first + row < end ? x.terms_of(tile, head)[first + row] : QueryTerms{};
  }
  TileC dq[tall][D / 8];
  clear(dq);
  for (int key = 0; key < end; key += keys) {
    const int stage = key / keys % 2;
    wait_for_copies<0>();
    __syncthreads();
    if (key + keys < end) {
      copy_keys(key + keys, stage ^ 1);
    }
    const int warp_first = first + warp_row;
    if (key >= warp_first + tall * band || warp_first >= end) {
      continue;  // no query of this warp sees them
    }
    const BFloat16* k = stages + 2 * stage * tile_size;
    TileC p[tall][keys / 8];
    TileC ds[tall][keys / 8];
    multiply_transposed<D>(p, q + warp_row * tile_stride<D>, k);
    multiply_transposed<D>(ds, dout + warp_row * tile_stride<D>, k + tile_size);
    if (key + keys > warp_first + 1) {
      hide_unseen(p, [&](int row, int column) { return key + column <= warp_first + row; });
    }
#pragma unroll
    for (int t = 0; t < tall; ++t) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const QueryTerms of_row = terms[warp_row + t * band + half * 8 + lane / 4];
#pragma unroll
        for (int n = 0; n < keys / 8; ++n) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) {
            const float weight = fast_exp2(x.score_unit * p[t][n].x[i] - of_row.log_sum_exp);
            ds[t][n].x[i] = weight * (ds[t][n].x[i] - of_row.delta);
          }
        }
      }
    }
    multiply<D>(dq, ds, k);
  }
  store_bands<D>(x.dq + x.shape.q_place(tile.begin + first + warp_row, head), x.shape.q_stride(),
                 end - first - warp_row, dq, q + warp_row * tile_stride<D>,
                 [&](int, int) { return x.scale; });
}

}  // namespace precis::cuda
