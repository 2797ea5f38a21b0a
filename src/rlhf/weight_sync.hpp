// New policy weights on their way from the learner to the rollout.
#pragma once

#include <memory>

#include "model/parameters.hpp"
#include "parallel/communicator.hpp"
#include "parallel/role_layout.hpp"

namespace precis {

/// With both roles on the same ranks the rollout reads the learner's own parameters and nothing
/// moves. On ranks of their own, the first learner rank broadcasts to the rollout ranks.
class WeightSync {
 public:
  /// Collective over `world`.
  WeightSync(RankGroup& world, const RoleLayout& layout);

  /// Collective over the first learner rank and the rollout ranks; elsewhere nothing happens.
  /// `policy` is this rank's copy.
  void run(Device& device, Parameters& policy);

 private:
  // The learner first; null: this rank takes no part.
  std::unique_ptr<RankGroup> ranks_;
  std::unique_ptr<Communicator> data_;
};

}  // namespace precis
