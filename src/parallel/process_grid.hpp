// Ranks arranged by data, pipeline and tensor parallelism.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "parallel/communicator.hpp"

namespace precis {

/// How many ranks along each axis.
struct GridShape {
  int dp = 1;
  int pp = 1;
  int tp = 1;
  /// May exceed the range of int for grids that nobody can start.
  [[nodiscard]] std::int64_t ranks() const { return std::int64_t{dp} * pp * tp; }
  friend bool operator==(const GridShape&, const GridShape&) = default;
};

/// The place of a rank in a grid: tp varies fastest, then pp, then dp.
struct GridCoordinates {
  int dp = 0;
  int pp = 0;
  int tp = 0;
  friend bool operator==(const GridCoordinates&, const GridCoordinates&) = default;
};

/// "dp=2,pp=1,tp=2" in any order; an axis left out is 1. Throws UsageError naming `key` for an
/// unknown or repeated axis and for a number below 1.
[[nodiscard]] GridShape parse_grid(std::string_view text, std::string_view key);
/// "dp=2,pp=1,tp=2".
[[nodiscard]] std::string to_string(const GridShape& grid);

[[nodiscard]] GridCoordinates coordinates_of(int rank, const GridShape& grid);
[[nodiscard]] int rank_of(const GridCoordinates& coordinates, const GridShape& grid);

/// Throws UsageError unless the grid has exactly `ranks` ranks; the message shows the arithmetic
/// and the two nearest layouts that fit.
void require_grid_fits(const GridShape& grid, int ranks, std::string_view key);

/// The groups of one grid by axis, each for control and for data, and this rank's place in it.
class ProcessGrid {
 public:
  /// Collective over `whole`, which it takes over. `name` ("learner") begins the names of the
  /// groups ("learner.dp"). Throws UsageError unless the shape fits whole's size.
  ProcessGrid(std::unique_ptr<RankGroup> whole, const GridShape& shape, const std::string& name);

  [[nodiscard]] const GridShape& shape() const { return shape_; }
  [[nodiscard]] const GridCoordinates& coordinates() const { return coordinates_; }
  /// All ranks of the grid, for control.
  [[nodiscard]] RankGroup& whole() { return *whole_; }
  /// The same, for data.
  [[nodiscard]] Communicator& all() { return *all_; }
  /// Those that hold one copy of a model together with this rank (all stages, all shards), for
  /// control; the first is their leader.
  [[nodiscard]] RankGroup& replica() { return *replica_; }
  [[nodiscard]] bool is_leader() const { return replica_->rank() == 0; }
  /// Those that share this rank's other coordinates. Their groups, for control: `dp().group()`.
  [[nodiscard]] Communicator& dp() { return *dp_.data; }
  [[nodiscard]] Communicator& pp() { return *pp_.data; }
  [[nodiscard]] Communicator& tp() { return *tp_.data; }

 private:
  struct Axis {
    std::unique_ptr<RankGroup> ranks;
    std::unique_ptr<Communicator> data;
  };

  GridShape shape_;
  GridCoordinates coordinates_;
  std::unique_ptr<RankGroup> whole_;
  std::unique_ptr<Communicator> all_;
  std::unique_ptr<RankGroup> replica_;
  Axis dp_, pp_, tp_;
};

}  // namespace precis
