// Attention's forward pass in bf16 on tensor cores.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention_forward.hpp"
#include "kernels/cuda/attention_tiles.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {

/// How the work on tensor cores is cut for a head dimension. Two bands a warp read each key from
/// shared memory half as often as one; at 256 their registers do not suffice.
template <int D>
struct ForwardPlan {
  static constexpr int tall = D <= 128 ? 2 : 1;
  static constexpr int queries = attention_warps * tall * band;
  static constexpr int keys = D < 96 ? 64 : 32;
  static constexpr std::int64_t shared_bytes = tile_bytes<D>(queries + 4 * keys);
};

/// The online softmax of the rows of a warp: of row l/4 + 8 * half of band t, this lane's part of
/// the sum.
template <int tall>
struct SoftmaxBands {
  float max[tall][2];
  float sum[tall][2];

  /// Turns scores into 2^(scale * (score - max)) and rescales `out` where a maximum has risen.
  template <int keys, int columns>
  __device__ void absorb(TileC (&scores)[tall][keys], TileC (&out)[tall][columns], float scale) {
    float factor[tall][2];
    bool risen = false;
#pragma unroll
    for (int t = 0; t < tall; ++t) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float highest = max[t][half];
#pragma unroll
        for (int n = 0; n < keys; ++n) {
          const float* pair = scores[t][n].x + 2 * half;
          highest = fmaxf(highest, fmaxf(pair[0], pair[1]));
        }
        highest = fmaxf(highest, __shfl_xor_sync(all_lanes, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(all_lanes, highest, 2));
        risen = risen || highest != max[t][half];
        factor[t][half] = fast_exp2(scale * (max[t][half] - highest));
        max[t][half] = highest;
        sum[t][half] *= factor[t][half];
#pragma unroll
        for (int n = 0; n < keys; ++n) {
          float* pair = scores[t][n].x + 2 * half;
          pair[0] = fast_exp2(scale * pair[0] - scale * highest);
          pair[1] = fast_exp2(scale * pair[1] - scale * highest);
          sum[t][half] += pair[0] + pair[1];
        }
      }
    }
    if (__any_sync(all_lanes, risen) != 0) {
#pragma unroll
      for (int t = 0; t < tall; ++t) {
#pragma unroll
        for (TileC& tile : out[t]) {
          tile.x[0] *= factor[t][0];
          tile.x[1] *= factor[t][0];
          tile.x[2] *= factor[t][1];
          tile.x[3] *= factor[t][1];
        }
      }
    }
  }
};

/// A block: ForwardPlan::queries queries of one head.
template <int D>
__global__ void __launch_bounds__(attention_threads) attend_tiles(ForwardArguments<BFloat16> x) {
  using Plan = ForwardPlan<D>;
  constexpr int tall = Plan::tall;
  constexpr int keys = Plan::keys;
  const SequenceTile tile =
      find_tile<Plan::queries>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  const int first = (tile.tiles - 1 - tile.number) * Plan::queries;
  const int rows = min(Plan::queries, tile.length - first);
  const int head = static_cast<int>(blockIdx.y);
  const std::int64_t token = tile.begin + first;
  if (tile.gap) {
    return clear_gap(x, token, head, rows);
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp_row = static_cast<int>(threadIdx.x) / warp_size * tall * band;
  const std::int64_t kv_place = x.shape.kv_place(tile.begin, head / x.shape.group());
  auto* q = reinterpret_cast<BFloat16*>(shared_memory());
  BFloat16* kv = q + Plan::queries * tile_stride<D>;
  constexpr int tile_size = keys * tile_stride<D>;
  const auto copy_keys = [&](int key, int stage) {
    const std::int64_t from = kv_place + static_cast<std::int64_t>(key) * x.shape.kv_stride();
    BFloat16* to = kv + 2 * stage * tile_size;
    copy_tile<D, keys>(to, x.k + from, x.shape.kv_stride(), tile.length - key);
    copy_tile<D, keys>(to + tile_size, x.v + from, x.shape.kv_stride(), tile.length - key);
    commit_copies();
  };

  copy_tile<D, Plan::queries>(q, x.q + x.shape.q_place(token, head), x.shape.q_stride(), rows);
  copy_keys(0, 0);
  TileC out[tall][D / 8];
  clear(out);
  SoftmaxBands<tall> softmax;
  for (int t = 0; t < tall; ++t) {
    for (int half = 0; half < 2; ++half) {
      softmax.max[t][half] = nothing;
      softmax.sum[t][half] = 0.0F;
    }
  }
  const int end = first + rows;  // keys that some row sees
  for (int key = 0; key < end; key += keys) {
    const int stage = key / keys % 2;
    wait_for_copies<0>();
    __syncthreads();
    if (key + keys < end) {
      copy_keys(key + keys, stage ^ 1);
    }
    const int warp_first = first + warp_row;
    if (key >= warp_first + tall * band || warp_first >= end) {
      continue;  // no row of this warp sees them
    }
    const BFloat16* k = kv + 2 * stage * tile_size;
    TileC scores[tall][keys / 8];
    multiply_transposed<D>(scores, q + warp_row * tile_stride<D>, k);
    if (key + keys > warp_first + 1) {
      hide_unseen(scores, [&](int row, int column) { return key + column <= warp_first + row; });
    }
    softmax.absorb(scores, out, x.score_unit);
    multiply<D>(out, scores, k + tile_size);
  }
  float total[tall][2];
#pragma unroll
  for (int t = 0; t < tall; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = softmax.sum[t][half];
      sum += __shfl_xor_sync(all_lanes, sum, 1);
      sum += __shfl_xor_sync(all_lanes, sum, 2);
      total[t][half] = sum;
      const int row = warp_row + t * band + half * 8 + lane / 4;
      if (lane % 4 == 0 && row < rows) {
        x.log_sum_exp[(token + row) * x.shape.heads + head] =
            x.scale * softmax.max[t][half] + logf(sum);
      }
    }
  }
  store_bands<D>(x.out + x.shape.q_place(token + warp_row, head), x.shape.q_stride(),
                 rows - warp_row, out, q + warp_row * tile_stride<D>,
                 [&](int t, int half) { return 1.0F / total[t][half]; });
}

}  // namespace precis::cuda
