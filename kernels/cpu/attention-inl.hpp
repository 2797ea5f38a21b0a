// Inner routines of attention: products of a tile of rows with one block of keys or values.

// Included once for each instruction set.
#if defined(PRECIS_KERNELS_CPU_ATTENTION_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PRECIS_KERNELS_CPU_ATTENTION_INL
#undef PRECIS_KERNELS_CPU_ATTENTION_INL
#else
#define PRECIS_KERNELS_CPU_ATTENTION_INL
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/attention.hpp"
#include "kernels/cpu/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {

using Tag = hn::ScalableTag<float>;
using Lane = hn::Vec<Tag>;

/// Rows in a full tile: the sums of a tile and what they are made of fit the registers.
inline constexpr int tile_rows = HWY_MAX_BYTES >= 64 ? 8 : 4;

/// Calls body(integral_constant<int, R>, row) for tiles of R rows that cover [0, rows).
template <class Body>
HWY_INLINE void over_tiles(std::int64_t rows, const Body& body) {
  std::int64_t row = 0;
  for (; row + tile_rows <= rows; row += tile_rows) {
    body(std::integral_constant<int, tile_rows>(), row);
  }
  if constexpr (tile_rows > 4) {
    if (row + 4 <= rows) {
      body(std::integral_constant<int, 4>(), row);
      row += 4;
    }
  }
  if (row + 2 <= rows) {
    body(std::integral_constant<int, 2>(), row);
    row += 2;
  }
  if (row < rows) {
    body(std::integral_constant<int, 1>(), row);
  }
}

/// scores (R, attention_block) = rows (R, D) * columns (D, attention_block), each score summed over
/// D in order.
template <int R>
HWY_INLINE void block_scores(float* HWY_RESTRICT scores, const float* HWY_RESTRICT rows,
                             const float* HWY_RESTRICT columns, std::int64_t head_dim) {
  const Tag d;
  constexpr std::int64_t lanes = HWY_LANES(float);
  for (std::int64_t column = 0; column < attention_block; column += 2 * lanes) {
    Lane sum[R][2];
    for (int r = 0; r < R; ++r) {
      sum[r][0] = hn::Zero(d);
      sum[r][1] = hn::Zero(d);
    }
    for (std::int64_t i = 0; i < head_dim; ++i) {
      const Lane left = hn::LoadU(d, columns + i * attention_block + column);
      const Lane right = hn::LoadU(d, columns + i * attention_block + column + lanes);
      for (int r = 0; r < R; ++r) {
        const Lane x = hn::Set(d, rows[r * head_dim + i]);
        sum[r][0] = hn::MulAdd(x, left, sum[r][0]);
        sum[r][1] = hn::MulAdd(x, right, sum[r][1]);
      }
    }
    for (int r = 0; r < R; ++r) {
      hn::StoreU(sum[r][0], d, scores + r * attention_block + column);
      hn::StoreU(sum[r][1], d, scores + r * attention_block + column + lanes);
    }
  }
}

/// The factors of add_products: that of output row r and term t at first + r * row + t * term.
struct Factors {
  const float* first;
  std::int64_t row;
  std::int64_t term;
};

/// Columns [column, column + V vectors) of add_products; `count` elements are in the last vector.
template <int R, int V>
HWY_INLINE void add_product_columns(float* HWY_RESTRICT out, const Factors& factors,
                                    const float* HWY_RESTRICT terms, std::int64_t term_count,
                                    std::int64_t head_dim, std::int64_t column, std::size_t count) {
  const Tag d;
  constexpr std::int64_t lanes = HWY_LANES(float);
  Lane sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      sum[r][v] = load_part(d, out + r * head_dim + column + v * lanes,
                            v + 1 < V ? static_cast<std::size_t>(lanes) : count);
    }
  }
  const float* factor = factors.first;
  const float* term = terms + column;
  for (std::int64_t t = 0; t < term_count; ++t) {
    Lane x[V];
    for (int v = 0; v < V; ++v) {
      x[v] = load_part(d, term + v * lanes, v + 1 < V ? static_cast<std::size_t>(lanes) : count);
    }
    for (int r = 0; r < R; ++r) {
      const Lane f = hn::Set(d, factor[r * factors.row]);
      for (int v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(f, x[v], sum[r][v]);
      }
    }
    factor += factors.term;
    term += head_dim;
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      store_part(sum[r][v], d, out + r * head_dim + column + v * lanes,
                 v + 1 < V ? static_cast<std::size_t>(lanes) : count);
    }
  }
}

/// out (R, D) += factors (R, term_count) * terms (term_count, D), added in the order of the terms.
template <int R>
HWY_INLINE void add_products(float* out, const Factors& factors, const float* terms,
                             std::int64_t term_count, std::int64_t head_dim) {
  constexpr std::int64_t lanes = HWY_LANES(float);
  constexpr int vectors = R == tile_rows ? 2 : 4;
  std::int64_t column = 0;
  for (; column + vectors * lanes <= head_dim; column += vectors * lanes) {
    add_product_columns<R, vectors>(out, factors, terms, term_count, head_dim, column, lanes);
  }
  for (; column + lanes <= head_dim; column += lanes) {
    add_product_columns<R, 1>(out, factors, terms, term_count, head_dim, column, lanes);
  }
  if (column < head_dim) {
    add_product_columns<R, 1>(out, factors, terms, term_count, head_dim, column,
                              static_cast<std::size_t>(head_dim - column));
  }
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
