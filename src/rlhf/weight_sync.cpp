#include "rlhf/weight_sync.hpp"

#include "parallel/mpi_communicator.hpp"

namespace precis {

WeightSync::WeightSync(RankGroup& world, const RoleLayout& layout) {
  if (layout.placement == Placement::colocated) {
    return;
  }
  const bool learner = world.rank() == layout.learner.ranks.front();
  const bool member = learner || layout.rollout.contains(world.rank());
  ranks_ = world.split(member ? 0 : -1, learner ? 0 : 1, "weight sync");
  if (ranks_) {
    data_ = std::make_unique<MpiCommunicator>(*ranks_);
  }
}

void WeightSync::run(Device& device, Parameters& policy) {
  if (!data_) {
    return;
  }
  data_->broadcast(device.queue(), policy.flat(), 0);
  if (data_->rank() != 0) {
    policy.changed();
  }
}

}  // namespace precis
