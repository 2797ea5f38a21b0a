// What the kernels of attention's backward pass share.
//
// With p = exp(scale * q k - log_sum_exp) and delta = dout * out of a query, ds = p * (dout v -
// delta) is the gradient of scale * q k; then dq = scale * sum over keys of ds k, dk = scale * sum
// over queries of ds q, and dv = sum over queries of p dout. One kernel finds dk and dv and another
// dq, each recomputing p, so that every sum has one owner and one order.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/attention.hpp"

namespace precis::cuda {

/// For a query: log_sum_exp * log_unit and delta.
struct alignas(8) QueryTerms {
  float log_sum_exp, delta;
};
/// Each sequence has an even number of them, so that they may be copied two at a time.
inline constexpr int term_copy = 16 / static_cast<int>(sizeof(QueryTerms));
static_assert(term_copy == 2);

template <class T>
struct BackwardArguments {
  T *dq, *dk, *dv;
  const T *dout, *out;
  const float* log_sum_exp;
  const T *q, *k, *v;
  const std::int32_t* offsets;
  QueryTerms* terms;
  AttentionShape shape;
  float scale;
  float log_unit;    ///< 1, or log2(e) where p is a power of two.
  float score_unit;  ///< scale * log_unit

  [[nodiscard]] __host__ __device__ std::int64_t terms_a_head() const {
    return (shape.tokens + 1) / term_copy * term_copy + term_copy * (shape.sequences + 2);
  }
  /// Those of a sequence's queries, one after another.
  [[nodiscard]] __device__ QueryTerms* terms_of(const SequenceTile& tile, int head) const {
    const int place = (tile.begin + 1) / term_copy * term_copy + term_copy * tile.segment;
    return terms + head * terms_a_head() + place;
  }
};

}  // namespace precis::cuda
