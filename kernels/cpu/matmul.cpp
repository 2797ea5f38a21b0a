#include "kernels/cpu/matmul.hpp"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/cpu/scratch_sizes.hpp"

namespace precis::cpu {
namespace {

// Rows and columns of c that one thread works on at a time.
constexpr std::int64_t block_rows = 96;
constexpr std::int64_t block_columns = 512;
// Sums of such a block between two visits.
constexpr std::int64_t slot_floats = block_rows * block_columns;
// Up to so many values of k a block's panels of b stay in the first-level cache.
constexpr std::int64_t short_depth = 16;
// Packed rows of a, in floats, that are kept at a time.
constexpr std::int64_t slab_floats = std::int64_t{8} << 20;
// Fewer floats are packed sooner by one thread than by several that must then wait for each other.
constexpr std::int64_t packed_by_one = std::int64_t{32} << 10;
// A product with fewer multiplications is not worth waking the other threads.
constexpr std::int64_t multiplications_for_threads = 200'000;

// Columns of the widest panel of any instruction set; tiles have fewer rows.
constexpr std::size_t widest_panel = 32;

constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// `count` things in `parts` parts that differ by one at most: the first of part i.
constexpr std::int64_t part_begin(std::int64_t count, std::int64_t parts, std::int64_t i) {
  return count / parts * i + std::min(i, count % parts);
}

/// One or all: OpenMP ends the threads that a smaller team leaves over.
int threads_for(std::int64_t multiplications) {
  return multiplications < multiplications_for_threads ? 1 : omp_get_max_threads();
}

using Four [[gnu::vector_size(16)]] = float;

/// A 4 x 4 block: out[k * out_stride + j] = data[j * data_stride + k].
inline void transpose_block(float* out, std::int64_t out_stride, const float* data,
                            std::int64_t data_stride) {
  Four row[4];
  for (std::int64_t j = 0; j < 4; ++j) {
    std::memcpy(&row[j], data + j * data_stride, sizeof(Four));
  }
  const Four low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const Four low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const Four high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const Four high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const Four column[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                          __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                          __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                          __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (std::int64_t k = 0; k < 4; ++k) {
    std::memcpy(out + k * out_stride, &column[k], sizeof(Four));
  }
}

/// out[k * width + j] = data[j * stride + k] for j < valid, k < depth.
void transpose_strip(float* out, std::int64_t width, const float* data, std::int64_t valid,
                     std::int64_t depth, std::int64_t stride) {
  // A cache line of each row at a time, so that a line is read once.
  constexpr std::int64_t line = 16;
  for (std::int64_t begin = 0; begin < depth; begin += line) {
    const std::int64_t end = std::min(depth, begin + line);
    const std::int64_t whole = begin + (end - begin) / 4 * 4;
    for (std::int64_t j = 0; j < valid; ++j) {
      if (j % 4 == 0 && j + 4 <= valid) {
        for (std::int64_t k = begin; k < whole; k += 4) {
          transpose_block(out + k * width + j, width, data + j * stride + k, stride);
        }
      }
      // What the blocks of four leave over.
      for (std::int64_t k = j < valid / 4 * 4 ? whole : begin; k < end; ++k) {
        out[k * width + j] = data[j * stride + k];
      }
    }
  }
}

/// out[k * width + j] = data[k * stride + j] for j < valid. The constant size makes a few moves of
/// what would be a library call for each k.
template <std::size_t valid>
void copy_strip(float* out, std::int64_t width, const float* data, std::int64_t depth,
                std::int64_t stride) {
  for (std::int64_t k = 0; k < depth; ++k) {
    std::memcpy(out + k * width, data + k * stride, valid * sizeof(float));
  }
}

template <std::size_t... valid>
constexpr auto make_copies(std::index_sequence<valid...>) {
  return std::array{copy_strip<valid>...};
}
/// copies[valid], for strips of every instruction set.
constexpr auto copies = make_copies(std::make_index_sequence<widest_panel + 1>());

/// out[k * width + j] = data[k * depth_stride + j * width_stride] for j < valid, 0 for the others.
void pack_strip(float* out, std::int64_t width, const float* data, std::int64_t valid,
                std::int64_t depth, std::int64_t depth_stride, std::int64_t width_stride) {
  if (width_stride == 1) {
    copies[static_cast<std::size_t>(valid)](out, width, data, depth, depth_stride);
  } else {
    assert(depth_stride == 1);
    transpose_strip(out, width, data, valid, depth, width_stride);
  }
  if (valid < width) {
    for (std::int64_t k = 0; k < depth; ++k) {
      std::fill(out + k * width + valid, out + (k + 1) * width, 0.0F);
    }
  }
}

/// How the rows of a slab of a are cut into tiles, and tiles into blocks.
struct RowTiles {
  std::int64_t rows;
  std::int64_t tiles;
  std::int64_t blocks;

  RowTiles(std::int64_t row_count, std::int64_t tile_rows)
      : rows(row_count),
        tiles(ceil_divide(row_count, tile_rows)),
        blocks(ceil_divide(tiles, block_rows / tile_rows)) {}
  [[nodiscard]] std::int64_t tile_begin(std::int64_t tile) const {
    return part_begin(rows, tiles, tile);
  }
  [[nodiscard]] std::int64_t block_begin(std::int64_t block) const {
    return part_begin(tiles, blocks, block);
  }
};

/// One block of c: the tiles [first_tile, last_tile) against the columns [begin, end), begin a
/// multiple of a panel. `partial` (tree.slots(), block_rows, block_columns) holds sums between
/// visits.
void multiply_block(const Tiles& isa, const Product& product, const float* packed,
                    const RowTiles& cut, std::int64_t first_tile, std::int64_t last_tile,
                    std::span<const Factors> terms, const SumTree& tree, std::int64_t begin,
                    std::int64_t end, float* partial) {
  const std::int64_t first_row = cut.tile_begin(first_tile);
  // With several tiles, each meets a panel while that is in the cache. One tile meets all its
  // panels in one call; so do tiles with a short sum, where most of the time goes into c, row by
  // row.
  const bool whole_rows = last_tile - first_tile == 1 || tree.depth() <= short_depth;
  const std::int64_t step = whole_rows ? end - begin : isa.panel_columns;
  tree.for_each_visit([&](const Visit& visit) {
    std::array<PanelStretch, SumTree::most_stretches> stretches;
    for (std::size_t i = 0; i < visit.stretches.size(); ++i) {
      const Stretch& stretch = visit.stretches[i];
      const Panels& b = terms[stretch.term].b;
      stretches[i] = {.b = b.data + stretch.begin * isa.panel_columns,
                      .panel_stride = b.depth * isa.panel_columns,
                      .depth = stretch.depth,
                      .ends_part = stretch.ends_part};
    }
    const bool from_c = visit.place == 0 && product.continues;
    for (std::int64_t column = begin; column < end; column += step) {
      for (std::int64_t tile = first_tile; tile < last_tile; ++tile) {
        const std::int64_t row = cut.tile_begin(tile);
        const std::int64_t rows = cut.tile_begin(tile + 1) - row;
        float* const sums = partial + (row - first_row) * block_columns + (column - begin);
        float* const own = sums + visit.slot * slot_floats;
        float* const c = product.c + row * product.stride + column;
        isa.tile[static_cast<std::size_t>(rows - 1)]({
            .a = packed + row * tree.depth() + visit.place * rows,
            .stretches = std::span(stretches).first(visit.stretches.size()),
            .panel = column / isa.panel_columns,
            .columns = std::min(step, end - column),
            .start = from_c            ? c
                     : visit.continues ? own
                                       : nullptr,
            .start_stride = from_c ? product.stride : block_columns,
            .slots = visit.adds > 0 ? own - slot_floats : nullptr,
            .adds = visit.adds,
            .slot_stride = block_columns,
            .floats_of_slot = slot_floats,
            .c = visit.last ? c : sums + visit.to * slot_floats,
            .c_stride = visit.last ? product.stride : block_columns,
            .bias = visit.last && product.bias != nullptr ? product.bias + column : nullptr,
            .add = visit.last && product.add != nullptr ? product.add + (c - product.c) : nullptr,
        });
      }
    }
  });
}

/// Rows of a that are packed at a time.
std::int64_t slab_rows(std::int64_t depth) {
  return std::max(block_rows,
                  slab_floats / std::max<std::int64_t>(depth, 1) / block_rows * block_rows);
}

/// What the product of a slab of rows works with, as a sum by this tree.
struct SlabPlan {
  int threads;
  bool pack;
  std::int64_t packed_floats;
  std::int64_t partial_floats;  // a thread

  SlabPlan(std::int64_t rows, const SumTree& tree, std::int64_t columns, bool dense_rows)
      : threads(threads_for(rows * columns * std::max<std::int64_t>(tree.depth(), 1))),
        pack(rows > 1 || !dense_rows || tree.terms().size() > 1),
        packed_floats(pack ? rows * tree.depth() : 0),
        partial_floats(tree.slots() * slot_floats) {}
  [[nodiscard]] std::int64_t scratch() const { return packed_floats + threads * partial_floats; }
};

/// The rows of a slab's left factors, packed: tile by tile, and in a tile in the order of the
/// tree's visits.
class PackedRows {
 public:
  PackedRows(float* memory, std::span<const Factors> terms, const SumTree& tree,
             std::int64_t first_row, const RowTiles& cut)
      : memory_(memory), terms_(terms), tree_(tree), first_row_(first_row), cut_(cut) {
    // The parts of one term follow each other as they do in memory.
    pieces_of_term_ = terms.size() == 1 ? 1 : tree.parts();
    std::int64_t longest = 0;
    for (const Factors& term : terms) {
      longest = std::max(longest, term.a.columns);
    }
    strips_of_piece_ = ceil_divide(longest, depth_block);
  }

  /// Strips that can be packed at the same time.
  [[nodiscard]] std::int64_t strips() const {
    return cut_.tiles * std::ssize(terms_) * pieces_of_term_ * strips_of_piece_;
  }
  void pack(std::int64_t i) const {
    const std::int64_t strip = i % strips_of_piece_;
    const std::int64_t piece = i / strips_of_piece_ % pieces_of_term_;
    const std::int64_t of_tiles = i / strips_of_piece_ / pieces_of_term_;
    const auto t = static_cast<std::size_t>(of_tiles % std::ssize(terms_));
    const std::int64_t tile = of_tiles / std::ssize(terms_);
    const SumTerm& sum = tree_.terms()[t];
    const std::int64_t begin = sum.bound(piece);
    const std::int64_t end = pieces_of_term_ == 1 ? sum.depth : sum.bound(piece + 1);
    const std::int64_t k = begin + strip * depth_block;
    if (k >= end) {
      return;
    }
    const Matrix& a = terms_[t].a;
    const std::int64_t row = cut_.tile_begin(tile);
    const std::int64_t rows = cut_.tile_begin(tile + 1) - row;
    pack_strip(memory_ + row * tree_.depth() + (tree_.place(t, piece) + k - begin) * rows, rows,
               a.data + (first_row_ + row) * a.row_stride + k * a.column_stride, rows,
               std::min(depth_block, end - k), a.column_stride, a.row_stride);
  }

 private:
  float* memory_;
  std::span<const Factors> terms_;
  const SumTree& tree_;
  std::int64_t first_row_;
  const RowTiles& cut_;
  std::int64_t pieces_of_term_ = 0;
  std::int64_t strips_of_piece_ = 0;
};

/// `rows` rows of the factors from `first_row` on, few enough to be packed as a whole; product.c
/// and .add begin with them.
void multiply_slab(Scratch& scratch, const Product& product, std::span<const Factors> terms,
                   const SumTree& tree, std::int64_t first_row, std::int64_t rows) {
  const Tiles& isa = chosen_tiles();
  const RowTiles cut(rows, isa.rows);
  const Matrix& a = terms.front().a;
  const std::int64_t columns = terms.front().b.columns;
  const std::int64_t panels = ceil_divide(columns, isa.panel_columns);
  const SlabPlan plan(rows, tree, columns, a.column_stride == 1);
  const int threads = plan.threads;
  // Columns in so many chunks that each thread gets several blocks.
  const std::int64_t wanted = threads == 1 ? 1 : ceil_divide(std::int64_t{4} * threads, cut.blocks);
  const std::int64_t chunks =
      std::min(panels, std::max(wanted, ceil_divide(columns, block_columns)));

  const bool pack = plan.pack;
  const std::int64_t packed_floats = plan.packed_floats;
  const std::int64_t partial_floats = plan.partial_floats;
  float* memory = scratch.of<float>(plan.scratch());
  const float* packed = pack ? memory : a.data + first_row * a.row_stride;
  const PackedRows packed_rows(memory, terms, tree, first_row, cut);
  const bool pack_together = pack && threads > 1 && packed_floats > packed_by_one;
  if (pack && !pack_together) {
    for (std::int64_t i = 0; i < packed_rows.strips(); ++i) {
      packed_rows.pack(i);
    }
  }

#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    if (pack_together) {
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < packed_rows.strips(); ++i) {
        packed_rows.pack(i);
      }
    }
    float* partial = memory + packed_floats + omp_get_thread_num() * partial_floats;
#pragma omp for schedule(dynamic) nowait
    for (std::int64_t i = 0; i < chunks * cut.blocks; ++i) {
      const std::int64_t chunk = i / cut.blocks;
      const std::int64_t block = i % cut.blocks;
      multiply_block(isa, product, packed, cut, cut.block_begin(block), cut.block_begin(block + 1),
                     terms, tree, part_begin(panels, chunks, chunk) * isa.panel_columns,
                     std::min(columns, part_begin(panels, chunks, chunk + 1) * isa.panel_columns),
                     partial);
    }
  }
}

void multiply_all(Scratch& scratch, const Product& product, std::span<const Factors> terms,
                  const SumTree& tree) {
  assert(!product.continues || tree.parts() == 1);
  const std::int64_t rows = terms.front().a.rows;
  if (rows == 0 || terms.front().b.columns == 0) {
    return;
  }
  const std::int64_t slab = slab_rows(tree.depth());
  for (std::int64_t row = 0; row < rows; row += slab) {
    Product part = product;
    part.c += row * product.stride;
    part.add = product.add == nullptr ? nullptr : product.add + row * product.stride;
    multiply_slab(scratch, part, terms, tree, row, std::min(slab, rows - row));
  }
}

}  // namespace

std::int64_t product_scratch(std::int64_t rows, std::span<const SumTerm> terms,
                             std::int64_t columns) {
  if (rows == 0 || columns == 0) {
    return 0;
  }
  const SumTree tree(terms);
  return SlabPlan(std::min(rows, slab_rows(tree.depth())), tree, columns, true).scratch();
}

std::int64_t panels_size(std::int64_t depth, std::int64_t columns) {
  const std::int64_t width = chosen_tiles().panel_columns;
  return ceil_divide(columns, width) * width * depth;
}

Panels pack_panels(float* out, const Matrix& b) {
  const std::int64_t width = chosen_tiles().panel_columns;
  const std::int64_t panels = ceil_divide(b.columns, width);
  const int threads = threads_for(b.rows * b.columns);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const std::int64_t column = panel * width;
    pack_strip(out + column * b.rows, width, b.data + column * b.column_stride,
               std::min(width, b.columns - column), b.rows, b.row_stride, b.column_stride);
  }
  return {.data = out, .depth = b.rows, .columns = b.columns};
}

void multiply(Scratch& scratch, const Product& product, std::span<const Factors> terms) {
  std::vector<SumTerm> sums;
  sums.reserve(terms.size());
  for (const Factors& term : terms) {
    sums.push_back({term.b.depth, term.parts});
  }
  multiply_all(scratch, product, terms, SumTree(sums));
}

void multiply(Scratch& scratch, const Product& product, const Factors& factors) {
  const SumTerm sum{factors.b.depth, factors.parts};
  multiply_all(scratch, product, {&factors, 1}, SumTree({&sum, 1}));
}

}  // namespace precis::cpu
