// Matrix products in f32 from packed panels, the same for every instruction set.
//
// A product c (M,N) = a (M,K) b (K,N) is cut into register tiles. Each element of c is one chain of
// fused multiply-adds over k in rising order, or the tree of such chains that sum_tree.hpp
// describes, wherever its row and column are: its bits depend only on its row of a and its column
// of b. Panels of b are [k][panel columns], tiles of a [k][tile rows], so that a tile reads both
// front to back.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/cpu/queue.hpp"
#include "kernels/cpu/sum_tree.hpp"

namespace precis::cpu {

/// A matrix in memory: element (row, column) at data[row * row_stride + column * column_stride];
/// one of the strides is 1.
struct Matrix {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
};

/// The right factor of a product, b (K,N), in panels of `panel_columns` columns, the last one
/// filled with zeros.
struct Panels {
  const float* data = nullptr;
  std::int64_t depth = 0;    // K
  std::int64_t columns = 0;  // N
};

/// One of the products whose sum is formed, a (M,K) b (K,N), with K cut into `parts`. Those of one
/// sum have the same M, N and number of parts.
struct Factors {
  Matrix a;
  Panels b;
  SumParts parts = {};
};

/// c (M,N) with rows `stride` apart becomes (sum of a b + bias (N)) + add (M,N); bias and add may
/// be null, add may be c. With `continues` the one chain starts from the value in c, not from 0, so
/// that a product cut along K into several calls has the bits of one.
struct Product {
  float* c = nullptr;
  std::int64_t stride = 0;
  bool continues = false;
  const float* bias = nullptr;
  const float* add = nullptr;
};

/// A Stretch of the inner index in the panels of its right factor.
struct PanelStretch {
  const float* b;  // the first of all panels [depth][panel columns], panel_stride apart
  std::int64_t panel_stride;
  std::int64_t depth;
  bool ends_part;
};

/// What the register tile of the chosen instruction set does in a Visit: one tile of a against
/// consecutive panels of b.
struct TileArguments {
  const float* a = nullptr;  // [depth of all stretches][tile rows]
  std::span<const PanelStretch> stretches;
  std::int64_t panel = 0;        // the first panel
  std::int64_t columns = 0;      // columns of c that exist; the last panel may be cut
  const float* start = nullptr;  // chains go on from here instead of 0; may be c
  std::int64_t start_stride = 0;
  const float* slots = nullptr;  // added first, `adds` of them, in falling order
  std::int64_t adds = 0;
  std::int64_t slot_stride = 0;     // between rows
  std::int64_t floats_of_slot = 0;  // between slots
  float* c = nullptr;
  std::int64_t c_stride = 0;
  const float* bias = nullptr;
  const float* add = nullptr;  // rows c_stride apart
};

using TileFunction = void (*)(const TileArguments&);

inline constexpr int most_tile_rows = 12;

/// The register tiles of an instruction set.
struct Tiles {
  std::int64_t rows = 0;                            // the most rows of a tile
  std::int64_t panel_columns = 0;                   // the columns of a panel
  std::array<TileFunction, most_tile_rows> tile{};  // tile[r - 1] has r rows
};

/// The tiles of the instruction set that Highway's dispatch uses.
[[nodiscard]] const Tiles& chosen_tiles();

/// Floats that `pack_panels` writes for b (depth, columns).
[[nodiscard]] std::int64_t panels_size(std::int64_t depth, std::int64_t columns);

/// Writes b (K,N) into panels at `out`, aligned to 64 bytes.
Panels pack_panels(float* out, const Matrix& b);

/// Forms the product. Uses `scratch` for the packed rows of a and for sums between visits.
void multiply(Scratch& scratch, const Product& product, std::span<const Factors> terms);
void multiply(Scratch& scratch, const Product& product, const Factors& factors);

}  // namespace precis::cpu
