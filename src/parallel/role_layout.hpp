// Which ranks of the world generate, score and learn.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/process_grid.hpp"

namespace precis {

enum class Placement { colocated, dedicated };

/// Throws UsageError naming both values for anything else.
[[nodiscard]] Placement parse_placement(std::string_view text);
[[nodiscard]] std::string_view name_of(Placement placement);

/// One role: its grid and its world ranks, in the order of the grid's ranks.
struct RoleRanks {
  GridShape grid = {};
  std::vector<int> ranks = {};
  [[nodiscard]] bool contains(int world_rank) const;
  /// The world rank that speaks for copy `replica` of the role's models: its first.
  [[nodiscard]] int leader(int replica) const {
    return ranks[static_cast<std::size_t>(rank_of({.dp = replica, .pp = 0, .tp = 0}, grid))];
  }
};

struct RoleLayout {
  Placement placement = Placement::colocated;
  RoleRanks rollout = {};
  RoleRanks reward = {};
  RoleRanks learner = {};
};

/// The keys of a `ppo` run as they were given.
struct RoleGrids {
  std::optional<GridShape> grid = {};
  std::optional<GridShape> rollout = {};
  std::optional<GridShape> reward = {};
  std::optional<GridShape> learner = {};
};

/// colocated: every role on all ranks; a role's grid is its own, else `grid`, else dp = ranks.
/// dedicated: rollout ranks first, then reward, then learner; `grid` is an error. Roles without a
/// grid share the ranks that are left: reward and learner a quarter of the world each (at least one
/// rank), rollout the rest (3 ranks: 1, 1, 1; 4: 2, 1, 1; 8: 4, 2, 2). Throws UsageError with the
/// arithmetic when the grids do not use up the ranks exactly.
[[nodiscard]] RoleLayout plan_roles(Placement placement, const RoleGrids& given, int ranks);

/// One line for people: "dedicated: rollout dp=2 on ranks 0-1, reward dp=1 on rank 2, ...".
[[nodiscard]] std::string describe(const RoleLayout& layout);

/// The grids of the roles that a rank plays; the others are null.
struct RoleProcesses {
  std::unique_ptr<ProcessGrid> rollout, reward, learner;
};
/// Collective over `world`.
[[nodiscard]] RoleProcesses start_roles(RankGroup& world, const RoleLayout& layout);

}  // namespace precis
