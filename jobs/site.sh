# shellcheck shell=bash
# What differs from site to site: sourced by the jobs, to be edited once.

# Modules or paths that the program was built with go here, for example:
#   module load openmpi hdf5

: "${PRECIS:?PRECIS must name the program}" "${DECK:?DECK must name the deck}" "${RUN:?RUN must name the run folder}"

# The program reads when the allocation ends from SLURM_JOB_END_TIME. Not every version of Slurm sets it in
# a job, but squeue knows it.
if [ -z "${SLURM_JOB_END_TIME-}" ] && command -v squeue > /dev/null; then
  allocation_end=$(squeue --noheader --job "${SLURM_JOB_ID-}" --format %e || true)
  if [[ $allocation_end == [0-9]* ]]; then  # not of a job without a limit
    export SLURM_JOB_END_TIME=$allocation_end
  fi
fi

# launch COMMAND [ARGUMENT ...]: precis COMMAND on the job's ranks. Of a key that is given twice, the last
# value counts, so the arguments may also replace --threads. (srun does not take the cores of a task from
# sbatch.)
launch() {
  local command=$1 cores=${SLURM_CPUS_PER_TASK:-1}
  shift
  srun --mpi=pmix --cpus-per-task "$cores" "$PRECIS" "$command" "$DECK" --run "$RUN" --threads "$cores" "$@"
}
