#include <algorithm>

#include "kernels/cpu/matmul.hpp"

// Highway compiles the rest of this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/matmul_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include "kernels/cpu/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::ScalableTag<float>;
using Vector = hn::Vec<Lanes>;

constexpr std::int64_t lanes = hn::MaxLanes(Lanes());
constexpr std::int64_t panel_columns = 2 * lanes;
// Of the 32 (AVX-512) or 16 registers, two per row hold sums, two hold the panel's elements, one
// the row's.
constexpr int tile_rows = lanes == 16 ? 12 : 6;

// Few rows against several panels at once, or their chains would be too few to hide the latency of
// an addition.
constexpr int panels_at_once(int rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }

template <int rows, int panels>
HWY_INLINE void compute(const TileArguments& t, std::int64_t column) {
  constexpr int vectors = 2 * panels;
  const Lanes d;
  const auto place = [&](int v) { return column + v * lanes; };
  const auto count = [&](int v) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(t.columns - place(v), 0, lanes));
  };

  Vector sum[rows][vectors];
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < vectors; ++v) {
      // Elements of c are not touched before the end: their lines come while the sums are formed.
      __builtin_prefetch(t.c + r * t.c_stride + place(v), 1);
      sum[r][v] = t.start == nullptr
                      ? hn::Zero(d)
                      : load_part(d, t.start + r * t.start_stride + place(v), count(v));
    }
  }

  // The tree as a binary counter: level l holds the sum of 2^l parts that waits for the next 2^l.
  HWY_ALIGN float level[SumTree::most_levels][rows][vectors][lanes];
  std::uint64_t parts = 0;
  const float* HWY_RESTRICT a = t.a;
  const PanelStretch* const end = t.stretches.data() + t.stretches.size();
  for (const PanelStretch* stretch = t.stretches.data(); stretch != end; ++stretch) {
    const std::int64_t panel_stride = stretch->panel_stride;
    const float* HWY_RESTRICT b = stretch->b + (t.panel + column / panel_columns) * panel_stride;
    for (std::int64_t k = 0; k < stretch->depth; ++k) {
      Vector right[vectors];
      HWY_UNROLL(8)
      for (int v = 0; v < vectors; ++v) {
        right[v] = hn::LoadU(d, b + v / 2 * panel_stride + v % 2 * lanes);
      }
      HWY_UNROLL(16)
      for (int r = 0; r < rows; ++r) {
        const Vector left = hn::Set(d, a[r]);
        HWY_UNROLL(8)
        for (int v = 0; v < vectors; ++v) {
          sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
        }
      }
      a += rows;
      b += panel_columns;
    }
    if (!stretch->ends_part) {
      continue;
    }
    std::size_t l = 0;
    for (; (parts >> l & 1U) != 0; ++l) {
      HWY_UNROLL(16)
      for (int r = 0; r < rows; ++r) {
        HWY_UNROLL(8)
        for (int v = 0; v < vectors; ++v) {
          sum[r][v] = hn::Add(sum[r][v], hn::Load(d, level[l][r][v]));
        }
      }
    }
    ++parts;
    if (stretch + 1 != end) {
      HWY_UNROLL(16)
      for (int r = 0; r < rows; ++r) {
        HWY_UNROLL(8)
        for (int v = 0; v < vectors; ++v) {
          hn::Store(sum[r][v], d, level[l][r][v]);
          sum[r][v] = hn::Zero(d);
        }
      }
    }
  }

  for (std::int64_t slot = 0; slot < t.adds; ++slot) {
    const float* const waiting = t.slots - slot * t.floats_of_slot;
    HWY_UNROLL(16)
    for (int r = 0; r < rows; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < vectors; ++v) {
        sum[r][v] =
            hn::Add(sum[r][v], load_part(d, waiting + r * t.slot_stride + place(v), count(v)));
      }
    }
  }

  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < vectors; ++v) {
      const std::int64_t at = r * t.c_stride + place(v);
      Vector value = sum[r][v];
      if (t.bias != nullptr) {
        value = hn::Add(value, load_part(d, t.bias + place(v), count(v)));
      }
      if (t.add != nullptr) {
        value = hn::Add(value, load_part(d, t.add + at, count(v)));
      }
      store_part(value, d, t.c + at, count(v));
    }
  }
}

template <int rows>
void tile(const TileArguments& t) {
  constexpr int at_once = panels_at_once(rows);
  std::int64_t column = 0;
  for (; column + (at_once - 1) * panel_columns < t.columns; column += at_once * panel_columns) {
    compute<rows, at_once>(t, column);
  }
  for (; column < t.columns; column += panel_columns) {
    compute<rows, 1>(t, column);
  }
}

template <std::size_t... index>
constexpr Tiles make_tiles(std::index_sequence<index...>) {
  return {.rows = tile_rows, .panel_columns = panel_columns, .tile = {tile<index + 1>...}};
}

const Tiles* tiles() {
  static constexpr Tiles table = make_tiles(std::make_index_sequence<tile_rows>());
  return &table;
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {
HWY_EXPORT(tiles);
}  // namespace

const Tiles& chosen_tiles() { return *HWY_DYNAMIC_DISPATCH(tiles)(); }

}  // namespace precis::cpu
#endif
