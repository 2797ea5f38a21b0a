// What the ranks of each role spent a step's time on.
#pragma once

#include "base/work_log.hpp"
#include "io/metrics.hpp"
#include "parallel/rank_group.hpp"
#include "parallel/role_layout.hpp"

namespace precis {

class RoleTimes {
 public:
  /// Of roles with ranks of their own; where all ranks play all roles the phases tell.
  RoleTimes(const RoleLayout& layout, RankGroup& world);

  /// Collective: adds to a step's metrics the seconds of a rank of each role (a mean over its
  /// ranks) since the last call: seconds_ROLE_working (computing, and writing files), _moving (data
  /// between ranks), _waiting (for other ranks). `lost`: of this rank's rollout, by places that no
  /// sequence took while others were still generated; seconds_rollout_lost, in either placement.
  void add_to(Row& row, double lost);

 private:
  const RoleLayout& layout_;
  RankGroup& world_;
  WorkLog::Totals before_;
};

}  // namespace precis
