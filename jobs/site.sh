# shellcheck shell=bash
# What differs from site to site: sourced by the jobs, to be edited once.

# Modules or paths that the program was built with go here, for example:
#   module load openmpi hdf5

: "${PRECIS:?PRECIS must name the program}" "${DECK:?DECK must name the deck}" "${RUN:?RUN must name the run folder}"

# launch COMMAND: precis COMMAND on the job's ranks.
launch() {
  srun --mpi=pmix "$PRECIS" "$1" "$DECK" --run "$RUN" --threads "${SLURM_CPUS_PER_TASK:-1}"
}
