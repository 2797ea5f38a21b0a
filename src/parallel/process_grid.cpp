#include "parallel/process_grid.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "parallel/mpi_communicator.hpp"

namespace precis {

namespace {

/// How far two grids are apart: by the factors between their axes.
double distance(const GridShape& a, const GridShape& b) {
  const auto factor = [](int x, int y) {
    return std::abs(std::log(static_cast<double>(x) / static_cast<double>(y)));
  };
  // The small weights break ties: tensor and pipeline parallelism are kept before data parallelism.
  return factor(a.dp, b.dp) + 1.01 * factor(a.pp, b.pp) + 1.02 * factor(a.tp, b.tp);
}

/// All grids of exactly `ranks` ranks, the nearest first. An axis that `grid` does not use stays 1.
std::vector<GridShape> nearest_grids(const GridShape& grid, int ranks) {
  std::vector<GridShape> found;
  for (int tp = 1; tp <= ranks; ++tp) {
    if (ranks % tp != 0 || (grid.tp == 1 && tp > 1)) {
      continue;
    }
    for (int pp = 1; pp <= ranks / tp; ++pp) {
      if (ranks / tp % pp == 0 && (grid.pp > 1 || pp == 1)) {
        found.push_back({.dp = ranks / tp / pp, .pp = pp, .tp = tp});
      }
    }
  }
  std::stable_sort(found.begin(), found.end(), [&](const GridShape& a, const GridShape& b) {
    return distance(a, grid) < distance(b, grid);
  });
  return found;
}

}  // namespace

GridShape parse_grid(std::string_view text, std::string_view key) {
  GridShape grid;
  std::array<bool, 3> seen{};
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    const std::size_t equals = item.find('=');
    const std::string_view axis = trimmed(item.substr(0, equals));
    const std::size_t index = axis == "dp" ? 0 : axis == "pp" ? 1 : axis == "tp" ? 2 : 3;
    if (equals == std::string_view::npos || index == 3) {
      fail_usage(
          "{} = {}: '{}' is not an axis of a grid. The axes are dp (rows), pp (stages) and tp "
          "(shares "
          "of each layer); write dp=2,pp=2, as one left out is 1.",
          key, text, item);
    }
    if (seen[index]) {
      fail_usage("{} = {}: the axis {} is given twice.", key, text, axis);
    }
    seen[index] = true;
    const std::string_view number = trimmed(item.substr(equals + 1));
    int value = 0;
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (code != std::errc{} || end != number.data() + number.size() || value < 1) {
      fail_usage("{} = {}: {} is '{}', but must be a whole number of ranks from 1 on.", key, text,
                 axis, number);
    }
    (index == 0 ? grid.dp : index == 1 ? grid.pp : grid.tp) = value;
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  constexpr std::int64_t most_ranks = 1 << 24;
  if (std::int64_t{grid.dp} * grid.pp > most_ranks || grid.ranks() > most_ranks) {
    fail_usage("{} = {}: the grid has more than {} ranks.", key, text, most_ranks);
  }
  return grid;
}

std::string to_string(const GridShape& grid) {
  return fmt::format("dp={},pp={},tp={}", grid.dp, grid.pp, grid.tp);
}

GridCoordinates coordinates_of(int rank, const GridShape& grid) {
  return {.dp = rank / (grid.tp * grid.pp), .pp = rank / grid.tp % grid.pp, .tp = rank % grid.tp};
}

int rank_of(const GridCoordinates& coordinates, const GridShape& grid) {
  return (coordinates.dp * grid.pp + coordinates.pp) * grid.tp + coordinates.tp;
}

void require_grid_fits(const GridShape& grid, int ranks, std::string_view key) {
  if (grid.ranks() == ranks) {
    return;
  }
  const std::vector<GridShape> near = nearest_grids(grid, ranks);
  const std::string first =
      fmt::format("{} = {} on {}", key, to_string(near.at(0)), counted(ranks, "rank"));
  const std::string second =
      near.size() > 1
          ? fmt::format("{} = {} on {}", key, to_string(near[1]), counted(ranks, "rank"))
          : fmt::format("{} = {} on {}", key, to_string(grid), counted(grid.ranks(), "rank"));
  fail_usage(
      "{} = {} is dp {} x pp {} x tp {} = {}, but {} {} started. The two nearest layouts "
      "that fit: {}, or {}.",
      key, to_string(grid), grid.dp, grid.pp, grid.tp, counted(grid.ranks(), "rank"), ranks,
      ranks == 1 ? "was" : "were", first, second);
}

ProcessGrid::ProcessGrid(std::unique_ptr<RankGroup> whole, const GridShape& shape,
                         const std::string& name)
    : shape_(shape), whole_(std::move(whole)) {
  require_grid_fits(shape_, whole_->size(), fmt::format("The grid of '{}'", name));
  const int rank = whole_->rank();
  coordinates_ = coordinates_of(rank, shape_);
  all_ = std::make_unique<MpiCommunicator>(*whole_);
  replica_ = whole_->split(coordinates_.dp, rank, name + ".replica");
  // The color of an axis is the rank of the group's first member.
  const auto along = [&](int GridCoordinates::*axis, const char* axis_name) {
    GridCoordinates first = coordinates_;
    first.*axis = 0;
    Axis made;
    made.ranks = whole_->split(rank_of(first, shape_), rank, fmt::format("{}.{}", name, axis_name));
    made.data = std::make_unique<MpiCommunicator>(*made.ranks);
    return made;
  };
  dp_ = along(&GridCoordinates::dp, "dp");
  pp_ = along(&GridCoordinates::pp, "pp");
  tp_ = along(&GridCoordinates::tp, "tp");
}

}  // namespace precis
