#include "rlhf/weight_sync.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "parallel/mpi_communicator.hpp"

namespace precis {
namespace {

/// Puts columns of a matrix to their place in the whole one, row by row.
void put_columns(Device& device, View whole, ConstView columns, std::int64_t first) {
  const std::int64_t width = columns.extent(1);
  for (std::int64_t row = 0; row < columns.extent(0); ++row) {
    const View to = whole.rows(row, row + 1).reshaped({whole.extent(1)}).rows(first, first + width);
    device.backend().copy(device.queue(), to, columns.rows(row, row + 1).reshaped({width}));
  }
}

}  // namespace

WeightSync::WeightSync(RankGroup& world, const RoleLayout& layout, const std::string& cut) {
  learner_.stages = layout.learner.grid.pp;
  learner_.tensor_ranks = layout.learner.grid.tp;
  learner_.cut = cut;
  if (layout.placement == Placement::colocated) {
    return;
  }
  const GridShape& grid = layout.learner.grid;
  for (int place = 0; place < grid.pp * grid.tp; ++place) {
    const int rank = layout.learner.ranks[static_cast<std::size_t>(place)];
    const GridCoordinates at = coordinates_of(place, grid);
    const bool gives = world.rank() == rank;
    const bool member = gives || layout.rollout.contains(world.rank());
    auto ranks = world.split(member ? 0 : -1, gives ? 0 : 1, fmt::format("weight sync {}", place));
    if (ranks) {
      auto data = std::make_unique<MpiCommunicator>(*ranks);
      ways_.push_back({.stage = at.pp,
                       .tensor_rank = at.tp,
                       .ranks = std::move(ranks),
                       .data = std::move(data)});
    }
  }
}

void WeightSync::run(Device& device, Model& policy) {
  bool received = false;
  for (const Way& way : ways_) {
    run(device, policy, way);
    received = received || way.data->rank() != 0;
  }
  if (received) {
    policy.parameters.changed();
  }
}

void WeightSync::run(Device& device, Model& policy, const Way& way) const {
  const bool gives = way.data->rank() == 0;
  const ModelPlace place = learner_.place_of(policy.config, way.stage, way.tensor_rank);
  for (const ParameterSpec& spec : parameter_specs(policy.config, place)) {
    if (spec.shard.replica > 0) {
      continue;  // Another rank gives it.
    }
    View tensor = policy.parameters.at(spec.name);
    const auto& [whole, offset, extent, replica] = spec.shard;
    const bool columns = extent.size() == 2 && extent[1] < whole[1];
    if (gives) {
      way.data->broadcast(device.queue(), tensor, 0);
    } else if (columns) {
      Tensor box = device.allocate({extent[0], extent[1]}, tensor.dtype());
      way.data->broadcast(device.queue(), box.view(), 0);
      put_columns(device, tensor, box.view(), offset[1]);
    } else {
      way.data->broadcast(device.queue(), tensor.rows(offset[0], offset[0] + extent[0]), 0);
    }
  }
}

}  // namespace precis
