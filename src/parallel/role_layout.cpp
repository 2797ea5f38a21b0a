#include "parallel/role_layout.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {

namespace {

constexpr std::array<std::string_view, 3> role_names{"rollout", "reward", "learner"};
using RoleSizes = std::array<std::int64_t, 3>;
using GivenGrids = std::array<std::optional<GridShape>, 3>;

GridShape data_parallel(std::int64_t ranks) { return {.dp = static_cast<int>(ranks)}; }

std::int64_t total(const RoleSizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
}

/// Ranks of each role on `ranks` ranks in all; nothing if a role would be left without.
std::optional<RoleSizes> divide(const GivenGrids& given, std::int64_t ranks) {
  std::int64_t left = ranks;
  std::int64_t open = 0;
  for (const auto& grid : given) {
    left -= grid ? grid->ranks() : 0;
    open += grid ? 0 : 1;
  }
  if (left < open || (open == 0 && left != 0)) {
    return std::nullopt;
  }
  RoleSizes sizes{};
  // From the learner on down, so that the first open role, which is the largest by default, takes
  // what is left.
  for (std::size_t role = sizes.size(); role-- > 0;) {
    if (given[role]) {
      sizes[role] = given[role]->ranks();
      continue;
    }
    --open;
    const std::int64_t quarter = std::max<std::int64_t>(1, ranks / 4);
    sizes[role] = open == 0 ? left : std::min(quarter, left - open);
    left -= sizes[role];
  }
  return sizes;
}

std::string keys_of(const RoleSizes& sizes, const GivenGrids& given) {
  std::string text;
  for (std::size_t role = 0; role < sizes.size(); ++role) {
    const bool kept = given[role] && given[role]->ranks() == sizes[role];
    text += fmt::format("{}{}.grid = {}", role == 0 ? "" : ", ", role_names[role],
                        to_string(kept ? *given[role] : data_parallel(sizes[role])));
  }
  return fmt::format("{} ({})", text, counted(total(sizes), "rank"));
}

[[noreturn]] void refuse_dedicated(const GivenGrids& given, int ranks) {
  // A role without a grid needs at least one rank.
  RoleSizes least{};
  std::string sum;
  for (std::size_t role = 0; role < least.size(); ++role) {
    least[role] = given[role] ? given[role]->ranks() : 1;
    sum += fmt::format("{}{} {}{}", role == 0 ? "" : " + ", role_names[role],
                       given[role] ? "" : "at least ", least[role]);
  }
  // Nearest on the ranks that were started: the learner's grid is kept longest.
  std::optional<RoleSizes> fits = divide({std::nullopt, given[1], given[2]}, ranks);
  if (!fits) {
    fits = divide({std::nullopt, std::nullopt, given[2]}, ranks);
  }
  if (!fits) {
    fits = divide({}, ranks);
  }
  fail_usage(
      "placement = dedicated: {} = {} ranks, but {} {} started. The two nearest layouts that fit: "
      "{}, or {}.",
      sum, total(least), ranks, ranks == 1 ? "was" : "were", keys_of(least, given),
      fits ? keys_of(*fits, given)
           : fmt::format("placement = colocated on {}", counted(ranks, "rank")));
}

std::string ranks_text(const std::vector<int>& ranks) {
  return ranks.size() == 1 ? fmt::format("rank {}", ranks.front())
                           : fmt::format("ranks {}-{}", ranks.front(), ranks.back());
}

RoleRanks consecutive(const GridShape& grid, int first) {
  RoleRanks role{.grid = grid, .ranks = std::vector<int>(static_cast<std::size_t>(grid.ranks()))};
  std::iota(role.ranks.begin(), role.ranks.end(), first);
  return role;
}

}  // namespace

Placement parse_placement(std::string_view text) {
  if (text == "colocated") {
    return Placement::colocated;
  }
  if (text == "dedicated") {
    return Placement::dedicated;
  }
  fail_usage("placement = {}: it is either colocated or dedicated.", text);
}

std::string_view name_of(Placement placement) {
  return placement == Placement::colocated ? "colocated" : "dedicated";
}

bool RoleRanks::contains(int world_rank) const {
  return std::find(ranks.begin(), ranks.end(), world_rank) != ranks.end();
}

RoleLayout plan_roles(Placement placement, const RoleGrids& given, int ranks) {
  RoleLayout layout;
  layout.placement = placement;
  if (placement == Placement::colocated) {
    const auto on_all = [&](const std::optional<GridShape>& own, std::string_view key) {
      const GridShape grid = own ? *own : given.grid.value_or(data_parallel(ranks));
      require_grid_fits(grid, ranks, own ? key : "grid");
      return consecutive(grid, 0);
    };
    layout.rollout = on_all(given.rollout, "rollout.grid");
    layout.reward = on_all(given.reward, "reward.grid");
    layout.learner = on_all(given.learner, "learner.grid");
    return layout;
  }
  if (given.grid) {
    fail_usage(
        "grid = {} is given together with placement = dedicated, where each role has its own: give "
        "rollout.grid, reward.grid and learner.grid, or leave all three out.",
        to_string(*given.grid));
  }
  const GivenGrids grids{given.rollout, given.reward, given.learner};
  const std::optional<RoleSizes> divided = divide(grids, ranks);
  if (!divided) {
    refuse_dedicated(grids, ranks);
  }
  int first = 0;
  const auto next = [&](std::size_t role) {
    RoleRanks placed = consecutive(grids[role].value_or(data_parallel((*divided)[role])), first);
    first += static_cast<int>(placed.ranks.size());
    return placed;
  };
  layout.rollout = next(0);
  layout.reward = next(1);
  layout.learner = next(2);
  return layout;
}

std::string describe(const RoleLayout& layout) {
  const auto role = [](std::string_view name, const RoleRanks& placed) {
    return fmt::format("{} {} on {}", name, to_string(placed.grid), ranks_text(placed.ranks));
  };
  return fmt::format("{}: {}, {}, {}", name_of(layout.placement), role("rollout", layout.rollout),
                     role("reward", layout.reward), role("learner", layout.learner));
}

RoleProcesses start_roles(RankGroup& world, const RoleLayout& layout) {
  const auto start = [&](const RoleRanks& role, const std::string& name) {
    std::unique_ptr<RankGroup> whole =
        world.split(role.contains(world.rank()) ? 0 : -1, world.rank(), name);
    return whole ? std::make_unique<ProcessGrid>(std::move(whole), role.grid, name) : nullptr;
  };
  RoleProcesses processes;
  processes.rollout = start(layout.rollout, "rollout");
  processes.reward = start(layout.reward, "reward");
  processes.learner = start(layout.learner, "learner");
  return processes;
}

}  // namespace precis
