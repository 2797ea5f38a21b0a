#include "kernels/cuda/attention_backward.hpp"

#include "kernels/cuda/attention_backward_rows.hpp"
#include "kernels/cuda/attention_backward_tiles.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int term_rows = 32;

/// The terms of term_rows queries of one head.
template <class T>
__global__ void __launch_bounds__(attention_threads) find_terms(BackwardArguments<T> x) {
  const SequenceTile tile = find_tile<term_rows>(x.offsets, x.shape, static_cast<int>(blockIdx.x));
  if (tile.segment < 0 || tile.gap) {
    return;
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int head = static_cast<int>(blockIdx.y);
  QueryTerms* terms = x.terms_of(tile, head);
  const int end = min(tile.length, (tile.number + 1) * term_rows);
  if (threadIdx.x == 0 && end % term_copy != 0) {
    terms[end] = {0.0F, 0.0F};
  }
  for (int query = tile.number * term_rows + warp; query < end; query += attention_warps) {
    const std::int64_t token = tile.begin + query;
    const T* dout = x.dout + x.shape.q_place(token, head);
    const T* out = x.out + x.shape.q_place(token, head);
    float delta = 0.0F;
    for (int i = lane; i < x.shape.head_dim; i += warp_size) {
      delta += to_f32(dout[i]) * to_f32(out[i]);
    }
    delta = over_warp(delta, SumOf{});
    if (lane == 0) {
      terms[query] = {x.log_sum_exp[token * x.shape.heads + head] * x.log_unit, delta};
    }
  }
}

/// `kernel` with a block for each of its tiles and each of `heads`.
template <class T>
void launch_tiles(Queue& queue, void (*kernel)(BackwardArguments<T>), int rows, std::int64_t heads,
                  std::int64_t shared_bytes, const BackwardArguments<T>& arguments) {
  launch(queue, "attention_backward", kernel,
         {.blocks = most_tiles(arguments.shape, rows),
          .threads = attention_threads,
          .shared_bytes = shared_bytes,
          .blocks_y = heads},
         arguments);
}

template <class T>
void backward_rows(Queue& queue, const BackwardArguments<T>& x) {
  const std::int64_t shared_bytes = RowTiles::bytes(x.shape.head_dim);
  launch_tiles(queue, find_terms<T>, term_rows, x.shape.heads, 0, x);
  with_parts(x.shape.head_dim, [&](auto parts) {
    launch_tiles(queue, key_gradient_rows<T, parts.value>, tile_rows, x.shape.kv_heads,
                 shared_bytes, x);
    launch_tiles(queue, query_gradient_rows<T, parts.value>, tile_rows, x.shape.heads, shared_bytes,
                 x);
  });
}

void backward_tiles(Queue& queue, BackwardArguments<BFloat16> x) {
  x.log_unit = log2_e;
  x.score_unit *= log2_e;
  launch_tiles(queue, find_terms<BFloat16>, term_rows, x.shape.heads, 0, x);
  with_head_dim(x.shape.head_dim, [&](auto dim) {
    using Keys = KeyGradientPlan<dim.value>;
    using Queries = QueryGradientPlan<dim.value>;
    launch_tiles(queue, key_gradient_tiles<dim.value>, Keys::keys,
                 x.shape.kv_heads * std::int64_t{Keys::slices}, Keys::shared_bytes, x);
    launch_tiles(queue, query_gradient_tiles<dim.value>, Queries::queries, x.shape.heads,
                 Queries::shared_bytes, x);
  });
}

}  // namespace

void attention_backward(Queue& queue, View dq, View dk, View dv, ConstView dout, ConstView out,
                        ConstView log_sum_exp, ConstView q, ConstView k, ConstView v,
                        ConstView offsets, double scale, SumParts /*heads*/) {
  constexpr const char* kernel = "attention_backward";
  const AttentionShape shape = attention_shape(kernel, q, k, offsets);
  with_precision(kernel, q.dtype(), [&](auto number) {
    using T = decltype(number);
    BackwardArguments<T> arguments{.dq = dq.data<T>(),
                                   .dk = dk.data<T>(),
                                   .dv = dv.data<T>(),
                                   .dout = dout.data<T>(),
                                   .out = out.data<T>(),
                                   .log_sum_exp = log_sum_exp.data<float>(),
                                   .q = q.data<T>(),
                                   .k = k.data<T>(),
                                   .v = v.data<T>(),
                                   .offsets = offsets.data<std::int32_t>(),
                                   .terms = nullptr,
                                   .shape = shape,
                                   .scale = static_cast<float>(scale),
                                   .log_unit = 1.0F,
                                   .score_unit = static_cast<float>(scale)};
    arguments.terms = scratch_of(queue).of<QueryTerms>(shape.heads * arguments.terms_a_head());
    if constexpr (std::is_same_v<T, BFloat16>) {
      if (fits_tensor_cores(q.dtype(), shape.head_dim, {dq, dk, dv, dout, q, k, v})) {
        return backward_tiles(queue, arguments);
      }
    }
    backward_rows(queue, arguments);
  });
}

}  // namespace precis::cuda
