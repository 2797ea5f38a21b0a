// Models whose tensors no grid divides evenly, and random grids for them: for tests of weights that
// go from one grid to another.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/parameters.hpp"
#include "model/tiny.hpp"

namespace precis {

/// What each rank of a grid holds of a model, by its number in the grid.
struct DrawnGrid {
  GridShape shape;
  std::string cut;  ///< parallel.stages; empty: by cost
  std::vector<std::vector<ParameterSpec>> specs = {};

  [[nodiscard]] std::string text() const {
    return fmt::format("{} stages '{}'", to_string(shape), cut);
  }
};

/// Heads, widths and vocabularies that are odd; fewer key-value heads than ranks; tied and not.
[[nodiscard]] inline std::vector<ModelConfig> uneven_models() {
  const auto rotary = [](ModelConfig& c) {
    c.position = PositionKind::rotary;
    c.norm = NormKind::rms_norm;
    c.activation = ActivationKind::gated_silu;
    c.mlp_bias = false;
  };
  return {tiny_config([](ModelConfig& c) {
            c.layers = 3;
            c.width = 20;
            c.heads = 5;
            c.mlp_width = 37;
          }),
          tiny_config([&](ModelConfig& c) {
            rotary(c);
            c.layers = 4;
            c.heads = 6;
            c.kv_heads = 2;
            c.mlp_width = 51;
            c.vocabulary = 67;
            c.attention_bias = AttentionBias::query_key_value;
            c.tied = false;
          }),
          tiny_config([&](ModelConfig& c) {
            rotary(c);
            c.layers = 5;
            c.width = 28;
            c.heads = 7;
            c.kv_heads = 1;
            c.mlp_width = 33;
            c.attention_bias = AttentionBias::none;
          }),
          tiny_config([](ModelConfig& c) {
            c.layers = 2;
            c.width = 32;
            c.heads = 16;
            c.kv_heads = 8;
            c.vocabulary = 71;
            c.tied = false;
          })};
}

/// Throws UsageError if the grid cannot hold the model.
inline void add_specs(DrawnGrid& grid, const ModelConfig& config) {
  ModelRanks ranks;
  ranks.stages = grid.shape.pp;
  ranks.tensor_ranks = grid.shape.tp;
  ranks.cut = grid.cut;
  for (int rank = 0; rank < grid.shape.ranks(); ++rank) {
    const GridCoordinates at = coordinates_of(rank, grid.shape);
    grid.specs.push_back(parameter_specs(config, ranks.place_of(config, at.pp, at.tp)));
  }
}

/// `layers` in `stages` numbers above 0, as parallel.stages has them.
[[nodiscard]] inline std::string drawn_cut(RandomStream& draws, std::int64_t layers, int stages) {
  std::vector<std::int64_t> blocks(static_cast<std::size_t>(stages), 1);
  for (std::int64_t left = layers - stages; left > 0; --left) {
    ++blocks[draws.below(static_cast<std::uint32_t>(stages))];
  }
  return fmt::format("{}", fmt::join(blocks, ","));
}

/// One of the grids of so many ranks that can hold the model, with stages cut at random or, with
/// `by_cost` and in half of the other cases, by cost.
[[nodiscard]] inline DrawnGrid draw_grid(RandomStream& draws, const ModelConfig& config, int ranks,
                                         bool by_cost = false) {
  std::vector<GridShape> shapes;
  for (int pp = 1; pp <= std::min<std::int64_t>(ranks, config.layers); ++pp) {
    for (int tp = 1; tp <= ranks / pp; ++tp) {
      if (ranks % (pp * tp) == 0) {
        shapes.push_back({.dp = ranks / (pp * tp), .pp = pp, .tp = tp});
      }
    }
  }
  while (true) {
    DrawnGrid grid{.shape = shapes[draws.below(static_cast<std::uint32_t>(shapes.size()))],
                   .cut = ""};
    if (!by_cost && grid.shape.pp > 1 && draws.chance(0.5)) {
      grid.cut = drawn_cut(draws, config.layers, grid.shape.pp);
    }
    try {
      add_specs(grid, config);
      return grid;
    } catch (const UsageError&) {
      // More ranks of tensor parallelism than heads; data parallelism alone always fits.
    }
  }
}

}  // namespace precis
