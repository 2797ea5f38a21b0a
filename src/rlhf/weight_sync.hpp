// New policy weights on their way from the learner to the rollout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "parallel/communicator.hpp"
#include "parallel/role_layout.hpp"

namespace precis {

/// With both roles on the same ranks the rollout reads the learner's own parameters and nothing
/// moves. On ranks of their own, the ranks of the learner's first copy of the policy each broadcast
/// what they hold to the rollout ranks, which have the whole.
class WeightSync {
 public:
  /// Collective over `world`. `cut`: parallel.stages.
  WeightSync(RankGroup& world, const RoleLayout& layout, const std::string& cut);

  /// Collective over the ranks of the learner's first copy and the rollout ranks; elsewhere nothing
  /// happens. `policy` is this rank's part.
  void run(Device& device, Model& policy);

 private:
  /// A rank of the learner, first in its group, and all rollout ranks.
  struct Way {
    int stage = 0;
    int tensor_rank = 0;
    std::unique_ptr<RankGroup> ranks;
    std::unique_ptr<Communicator> data;
  };
  void run(Device& device, Model& policy, const Way& way) const;

  ModelRanks learner_;
  std::vector<Way> ways_;  // those that this rank takes part in
};

}  // namespace precis
