# shellcheck shell=bash disable=SC2034  # root is used by the scripts that source this one
# What the scripts share; sourced, not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The comment that a script begins with is its help.
print_help() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

# wrong_use MESSAGE ...: ends the script for its arguments.
wrong_use() {
  printf '%s\n' "$*" >&2
  sed -n 's/^# usage: */usage: /p' "$0" >&2
  printf '%s says more.\n' "scripts/$(basename "$0") --help" >&2
  exit 2
}

# value_of KIND FLAG [VALUE ...]: the flag's value, which must be there.
value_of() {
  [[ $# -ge 3 && $3 != -* && -n $3 ]] || wrong_use "$2 needs $1."
  [ "$1" != "a number" ] || [[ $3 =~ ^(0|[1-9][0-9]*)$ ]] || wrong_use "$2 is '$3', expected a whole number without leading zeros."
  printf '%s\n' "$3"
}

for word in "$@"; do
  case $word in
    -h | --help)
      print_help
      exit 0
      ;;
  esac
done

# memory_limit [GROUPS MOUNT]: the bytes that this process's control groups and all above them allow it, versions 1 and
# 2; nothing where there is no limit.
# shellcheck disable=SC2120  # a test gives the arguments
memory_limit() {
  local mount=${2-/sys/fs/cgroup} controllers path folder
  while IFS=: read -r _ controllers path; do
    case ,$controllers, in
      ,,) folder=$mount ;;
      *,memory,*) folder=$mount/memory ;;
      *) continue ;;
    esac
    while true; do
      cat "$folder$path"/memory.{max,high,limit_in_bytes} 2>/dev/null || true
      [ -n "$path" ] || break
      path=${path%/*}
    done
  done < "${1-/proc/self/cgroup}" | awk '/^[0-9]+$/ && (least == "" || $1 < least) {least = $1} END {print least}'
}

# Compile jobs that fit: one a core, and 1.5 GB of free memory for each.
parallel_jobs() {
  local cores memory_kb limit jobs
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  # shellcheck disable=SC2119
  limit=$(memory_limit)
  if [ -n "$limit" ] && [ $((limit / 1024)) -lt "$memory_kb" ]; then
    memory_kb=$((limit / 1024))
  fi
  jobs=$((memory_kb / 1500000))
  [ "$jobs" -le "$cores" ] || jobs=$cores
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}

# Settings of Open MPI for ranks on this machine alone. What the user has set stays.
mpi_environment() {
  local ranks=$1
  if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  if [ "$ranks" -gt "$(nproc)" ]; then
    export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle-1}
  fi
  # Shared memory only, and no look at networks or remote shells that a container may lack.
  export OMPI_MCA_pml=${OMPI_MCA_pml-ob1} OMPI_MCA_btl=${OMPI_MCA_btl-self,vader}
  export OMPI_MCA_plm=${OMPI_MCA_plm-isolated} OMPI_MCA_oob_tcp_if_include=${OMPI_MCA_oob_tcp_if_include-lo}
  # Containers often forbid one process to read another's memory; the messages are small.
  export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism-none}
}
