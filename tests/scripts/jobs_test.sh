#!/usr/bin/env bash
# What the job files start: the command with the job's arguments, word for word, and the allocation's
# end, also where Slurm itself does not tell it. srun and squeue are stand-ins.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

srun() {
  printf '<%s>' "$@"
  printf ' ends %s\n' "${SLURM_JOB_END_TIME-never}"
}
squeue() {
  [ "$*" = "--noheader --job 4711 --format %e" ] || exit 1
  echo "$squeue_says"
}
export -f srun squeue
export PRECIS=/program DECK=a.cfg RUN=runs/a SLURM_SUBMIT_DIR=$root SLURM_JOB_ID=4711 squeue_says=2030-01-02T03:04:05
unset SLURM_JOB_END_TIME SLURM_CPUS_PER_TASK

# expect TEXT COMMAND ...: what the job says.
expect() {
  local wanted=$1 said
  shift
  said=$("$@")
  if [ "$said" != "$wanted" ]; then
    printf '%s\n  said     %s\n  expected %s\n' "$*" "$said" "$wanted" >&2
    exit 1
  fi
}

for command in sft reward ppo; do
  expect "<--mpi=pmix><--cpus-per-task><1></program><$command><a.cfg><--run><runs/a><--threads><1>\
<--policy><b c.h5><--data.valid=> ends 2030-01-02T03:04:05" \
    bash "$root/jobs/$command.sbatch" --policy "b c.h5" --data.valid=
done
launched="<--mpi=pmix><--cpus-per-task><3></program><sft><a.cfg><--run><runs/a><--threads><3>"
expect "$launched ends 1893553445" \
  env SLURM_JOB_END_TIME=1893553445 SLURM_CPUS_PER_TASK=3 bash "$root/jobs/sft.sbatch"
expect "$launched ends never" env squeue_says=NONE SLURM_CPUS_PER_TASK=3 bash "$root/jobs/sft.sbatch"
