// What a supervised training would do, hold and take, for `dry_run`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/memory.hpp"
#include "model/model.hpp"
#include "parallel/mpi_session.hpp"
#include "train/machine.hpp"
#include "train/supervised.hpp"
#include "train/train_options.hpp"

namespace precis {

struct TrainingPlan {
  Model& model;  ///< the one that training would start from; of no use after `describe`
  const TrainOptions& train;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> lengths;  ///< tokens of each training row, as micro-batches count them
  std::int64_t validation_rows = 0;
  /// The objective of the run, on a machine, for a model there, and for the ranks that share the
  /// rows.
  std::function<std::unique_ptr<SupervisedObjective>(Machine&, const Model&, RankGroup&)>
      make_objective;
};

/// The tensors that a rank of the grid holds at its peak on a device like this one: the run itself,
/// on a counting device, over those parts of steps that have a micro-batch larger than all before
/// it in its slot, a validation and samples. A pure function of its arguments, the instruction set
/// and the threads.
[[nodiscard]] MemoryCount planned_memory(const TrainingPlan& plan, const Device& like, int rank,
                                         const GridShape& grid);

/// Collective. The plan as text: layout, model, rows, steps, micro-batches, memory of each kind of
/// rank, and time by two micro-batches that are measured, unless the memory would not suffice: then
/// a warning says so.
[[nodiscard]] std::string describe(const TrainingPlan& plan, Machine& machine, MpiSession& mpi,
                                   ProcessGrid& grid, Log& log);

}  // namespace precis
