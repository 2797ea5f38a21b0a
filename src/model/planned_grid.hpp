// A rank's place in a grid without MPI, for planning what it would hold.
#pragma once

#include <string>
#include <utility>

#include "model/model_parallel.hpp"
#include "parallel/planned_ranks.hpp"

namespace precis {

/// Groups of the three axes that send nothing, and how models are spread over them.
struct PlannedGrid {
  PlannedGrid(int rank, const GridShape& shape, std::string cut, std::int64_t tensor_parts)
      : at(coordinates_of(rank, shape)),
        copies(at.dp, shape.dp),
        stages(at.pp, shape.pp),
        shares(at.tp, shape.tp),
        models{.stage = at.pp,
               .stages = shape.pp,
               .cut = std::move(cut),
               .tensor_rank = at.tp,
               .tensor_ranks = shape.tp,
               .tensor_parts = tensor_parts,
               .as = std::nullopt,
               .pipeline = shape.pp > 1 ? &stages : nullptr,
               .tensor = shape.tp > 1 ? &shares : nullptr} {}

  GridCoordinates at;
  PlannedRanks copies, stages, shares;
  ModelRanks models;
};

}  // namespace precis
