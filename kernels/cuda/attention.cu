#include "kernels/cuda/attention.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/attention_forward.hpp"
#include "kernels/cuda/attention_forward_tiles.hpp"
#include "kernels/cuda/attention_rows.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

/// A block: tile_rows queries of one head.
template <class T, int parts>
__global__ void __launch_bounds__(attention_threads, 2) attend_rows(ForwardArguments<T> x) {
  const SequenceTile tile = find_tile<tile_rows>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0) {
    return;
  }
  // The last tiles see most keys: they begin first.
  const int first = (tile.tiles - 1 - tile.number) * tile_rows;
  const int rows = min(tile_rows, tile.length - first);
  const int head = static_cast<int>(blockIdx.y);
  const std::int64_t token = tile.begin + first;
  if (tile.gap) {
    return clear_gap(x, token, head, rows);
  }
  const int head_dim = x.shape.head_dim;
  const int stride = row_stride(head_dim);
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  auto* q = reinterpret_cast<float*>(shared_memory());
  float* k = q + tile_rows * stride;
  float* v = k + tile_rows * stride;
  float* weights = v + tile_rows * stride + warp * tile_rows * warp_rows;  // (key, row)

  load_rows(q, x.q + x.shape.q_place(token, head), x.shape.q_stride(), rows, head_dim, x.scale);
  WarpRows<parts> out;
  out.clear();
  float max[warp_rows];
  float sum[warp_rows];
  for (int r = 0; r < warp_rows; ++r) {
    max[r] = nothing;
    sum[r] = 0.0F;
  }
  for (int key = 0; key <= first; key += tile_rows) {
    __syncthreads();
    const std::int64_t from = x.shape.kv_place(tile.begin + key, head / x.shape.group());
    const int keys = min(tile_rows, tile.length - key);
    load_rows(k, x.k + from, x.shape.kv_stride(), keys, head_dim, 1.0F);
    load_rows(v, x.v + from, x.shape.kv_stride(), keys, head_dim, 1.0F);
    __syncthreads();
    float scores[warp_rows];
    row_products(scores, q + warp * warp_rows * stride, k, stride);
#pragma unroll
    for (int r = 0; r < warp_rows; ++r) {
      const bool seen = key + lane <= first + warp * warp_rows + r;
      const float score = seen ? scores[r] : nothing;
      const float highest = fmaxf(max[r], over_warp(score, MaxOf{}));
      const float factor = expf(max[r] - highest);
      const float p = seen ? expf(score - highest) : 0.0F;
      sum[r] = factor * sum[r] + p;
      for (float& number : out.x[r]) {
        number *= factor;
      }
      max[r] = highest;
      weights[lane * warp_rows + r] = p;
    }
    __syncwarp();
    out.add_products(weights, warp_rows, v, stride);
  }
#pragma unroll
  for (int r = 0; r < warp_rows; ++r) {
    const float total = over_warp(sum[r], SumOf{});
    for (float& number : out.x[r]) {
      number /= total;
    }
    if (lane == 0 && warp * warp_rows + r < rows) {
      x.log_sum_exp[(token + warp * warp_rows + r) * x.shape.heads + head] = max[r] + logf(total);
    }
  }
  out.store(x.out + x.shape.q_place(token + warp * warp_rows, head), x.shape.q_stride(),
            rows - warp * warp_rows, head_dim, 1.0F);
}

}  // namespace

AttentionShape attention_shape(const char* kernel, ConstView q, ConstView k, ConstView offsets) {
  check_that(q.extent(2) <= largest_head_dim, kernel,
             "on CUDA a head has at most 256 dimensions; compute with --device cpu.");
  const auto number = [](std::int64_t x) { return static_cast<int>(x); };
  return {number(q.extent(0)), number(q.extent(1)), number(k.extent(1)), number(q.extent(2)),
          number(offsets.numel() - 1)};
}

bool fits_tensor_cores(DType dtype, int head_dim, std::initializer_list<ConstView> arguments) {
  bool fits = dtype == DType::bf16;
  for (const ConstView& argument : arguments) {
    fits = fits && reinterpret_cast<std::uintptr_t>(argument.bytes()) % 16 == 0;
  }
  bool found = false;
  with_head_dim(head_dim, [&](auto) { found = true; });
  return fits && found;
}

void attention_forward(Queue& queue, View out, View log_sum_exp, ConstView q, ConstView k,
                       ConstView v, ConstView offsets, double scale) {
  constexpr const char* kernel = "attention_forward";
  const AttentionShape shape = attention_shape(kernel, q, k, offsets);
  with_precision(kernel, q.dtype(), [&](auto number) {
    using T = decltype(number);
    const ForwardArguments<T> arguments{.out = out.data<T>(),
                                        .log_sum_exp = log_sum_exp.data<float>(),
                                        .q = q.data<T>(),
                                        .k = k.data<T>(),
                                        .v = v.data<T>(),
                                        .offsets = offsets.data<std::int32_t>(),
                                        .shape = shape,
                                        .scale = static_cast<float>(scale),
                                        .score_unit = static_cast<float>(scale) * log2_e};
    if constexpr (std::is_same_v<T, BFloat16>) {
      if (fits_tensor_cores(q.dtype(), shape.head_dim, {out, q, k, v})) {
        return with_head_dim(shape.head_dim, [&](auto dim) {
          using Plan = ForwardPlan<dim.value>;
          launch(queue, kernel, attend_tiles<dim.value>,
                 {.blocks = most_tiles(shape, Plan::queries),
                  .threads = attention_threads,
                  .shared_bytes = Plan::shared_bytes,
                  .blocks_y = shape.heads},
                 arguments);
        });
      }
    }
    with_parts(shape.head_dim, [&](auto parts) {
      launch(queue, kernel, attend_rows<T, parts.value>,
             {.blocks = most_tiles(shape, tile_rows),
              .threads = attention_threads,
              .shared_bytes = 3 * row_tile_bytes(shape.head_dim) +
                              tile_rows * tile_rows * static_cast<std::int64_t>(sizeof(float)),
              .blocks_y = shape.heads},
             arguments);
    });
  });
}

}  // namespace precis::cuda
