#include "rlhf/weight_sync.hpp"

namespace precis {

WeightSync::WeightSync(MpiCommunicator& world, const RoleLayout& layout) {
  if (layout.placement == Placement::colocated) {
    return;
  }
  const bool learner = world.rank() == layout.learner.ranks.front();
  const bool member = learner || layout.rollout.contains(world.rank());
  group_ = world.split(member ? 0 : -1, learner ? 0 : 1, "weight sync");
}

void WeightSync::run(Device& device, Parameters& policy) {
  if (!group_) {
    return;
  }
  device.backend().synchronize(device.queue());
  group_->broadcast(policy.flat(), 0);
  if (group_->rank() != 0) {
    policy.changed();
  }
}

}  // namespace precis
