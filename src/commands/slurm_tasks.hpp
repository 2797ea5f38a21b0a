// Tasks of one Slurm step that do not know of each other through MPI.
#pragma once

#include "base/log.hpp"
#include "base/options.hpp"

namespace precis {

/// For a world of one rank that no mpirun has started. `srun` without an MPI plugin that this MPI
/// understands starts each task as a world of its own: all would do the same work and write the
/// same files. Throws UsageError in such a task unless each run folder and output has the task's
/// number (SLURM_PROCID) by itself in its name, so that the tasks differ; warns where the command
/// writes none. A batch script, which Slurm tells the number of tasks too, is not a task.
void require_own_outputs_of_task(const OptionTable& options, Log& log);

}  // namespace precis
