#include "rlhf/role_times.hpp"

#include <fmt/format.h>

#include <array>

namespace precis {
namespace {

constexpr std::array<const char*, 3> uses{"working", "moving", "waiting"};

std::size_t use_of(WorkKind kind) {
  return is_communication(kind) ? 1 : kind == WorkKind::waiting ? 2 : 0;
}

}  // namespace

RoleTimes::RoleTimes(const RoleLayout& layout, RankGroup& world)
    : layout_(layout), world_(world), before_(world.work().totals()) {}

void RoleTimes::add_to(Row& row, double lost) {
  const WorkLog::Totals now = world_.work().totals();
  std::array<double, uses.size()> mine{};
  for (std::size_t kind = 0; kind < work_kinds; ++kind) {
    mine[use_of(static_cast<WorkKind>(kind))] +=
        1e-9 * static_cast<double>(now[kind].nanoseconds - before_[kind].nanoseconds);
  }
  before_ = now;
  const std::pair<const char*, const RoleRanks&> roles[]{
      {"rollout", layout_.rollout}, {"reward", layout_.reward}, {"learner", layout_.learner}};
  std::array<double, 3 * uses.size() + 1> sums{};
  for (std::size_t role = 0; role < std::size(roles); ++role) {
    for (std::size_t use = 0; use < uses.size(); ++use) {
      const RoleRanks& ranks = roles[role].second;
      if (ranks.contains(world_.rank())) {
        sums[role * uses.size() + use] = mine[use] / static_cast<double>(ranks.ranks.size());
      }
    }
  }
  sums.back() = lost / static_cast<double>(layout_.rollout.ranks.size());
  world_.all_reduce(sums, Reduction::sum);
  row["seconds_rollout_lost"] = sums.back();
  for (std::size_t role = 0; layout_.placement == Placement::dedicated && role < std::size(roles);
       ++role) {
    for (std::size_t use = 0; use < uses.size(); ++use) {
      row[fmt::format("seconds_{}_{}", roles[role].first, uses[use])] =
          sums[role * uses.size() + use];
    }
  }
}

}  // namespace precis
