# shellcheck shell=bash disable=SC2034,SC2154  # the script that sources this one sets root, seed and smoke, uses started and cores
# Runs that consist of stages; sourced after common.sh.

# Sets PRECIS to the program: the user's, or the one that is built from here.
require_program() {
  if [ -z "${PRECIS-}" ]; then
    say "Packages"
    "$root/scripts/install.sh"
    "$root/scripts/build.sh" precis
    PRECIS=$root/build/bin/precis
  fi
}

# prepare_stages RUN SETTINGS RANKS: the folder of a run, which keeps its settings.
prepare_stages() {
  run=$1 started=$SECONDS cores=$(nproc)
  mkdir -p "$run"
  if [ -e "$run/settings" ] && [ "$(cat "$run/settings")" != "$2" ]; then
    fail "$run holds a run with other settings ($(cat "$run/settings")); give another folder with --run."
  fi
  echo "$2" > "$run/settings"
  mpi_environment "$3"
}

# stage TITLE OUTPUT COMMAND ...: skipped where RUN/OUTPUT is there, which appears only when complete.
stage() {
  local title=$1 output=$run/$2 begun=$SECONDS
  shift 2
  if [ -e "$output" ]; then
    say "$title: done already"
  else
    say "$title"
    "$@"
    echo "-- $((SECONDS - begun)) s"
  fi
}

# pass_stop_on PROCESS SIGNAL: of a signal that was received here, the ranks of mpirun get a SIGUSR1.
pass_stop_on() {
  echo "$2 was received here; the ranks are sent SIGUSR1." >&2
  kill -USR1 "$1" 2>/dev/null || true
}

# ranks_ended N STATUS: what is to be said about the end of N ranks in place of mpirun, which is quiet.
ranks_ended() {
  local name
  case $2 in
    0 | 2 | 75) ;;
    1) mpirun --oversubscribe --bind-to none -n "$1" true < /dev/null || true ;;  # can mpirun start ranks at all?
    *)
      name=$(kill -l $(($2 - 128)) 2> /dev/null) || name=
      case $name in
        INT | TERM | HUP | USR1 | USR2 | XCPU) ;;  # precis has said so
        KILL) echo "A rank was ended by SIGKILL, perhaps by the system for want of memory (status $2)." >&2 ;;
        "") echo "mpirun ended with status $2." >&2 ;;
        *) echo "A rank was ended by SIG$name (status $2)." >&2 ;;
      esac
      ;;
  esac
}

# interruptible_ranks N COMMAND ...: precis COMMAND on N ranks of this machine.
# Whatever ends a rank, precis says it; mpirun would add to that that the job was aborted, so it is quiet.
# mpirun kills its ranks two seconds after a SIGINT or SIGTERM, which a long step does not survive; but
# it passes SIGUSR1 on. So it is kept out of the terminal's reach, and Ctrl-C becomes a SIGUSR1: the
# first one saves and stops, a second one within five seconds ends the ranks at once.
interruptible_ranks() {
  local ranks=$1 job status=0
  shift
  OMPI_MCA_orte_execute_quiet=${OMPI_MCA_orte_execute_quiet-1} \
    setsid mpirun --oversubscribe --bind-to none -n "$ranks" "$PRECIS" "$@" <&0 &
  job=$!
  trap 'pass_stop_on "$job" SIGINT' INT
  trap 'pass_stop_on "$job" SIGTERM' TERM
  trap 'pass_stop_on "$job" SIGHUP' HUP
  wait "$job" || status=$?
  while kill -0 "$job" 2>/dev/null; do  # the signal ended the wait, not the job
    status=0
    wait "$job" || status=$?
  done
  trap - INT TERM HUP
  ranks_ended "$ranks" "$status"
  return "$status"
}

# on_ranks N COMMAND ...: a stage's precis COMMAND on N ranks of one thread each.
on_ranks() {
  local ranks=$1
  shift
  OMP_NUM_THREADS=1 interruptible_ranks "$ranks" "$@" --seed "$seed" --threads 1 < /dev/null
}

# rows FIRST COUNT FROM TO: lines of a file as RUN/TO, unless it is there.
rows() {
  if [ ! -e "$run/$4" ]; then
    awk -v first="$1" -v count="$2" 'NR >= first && NR < first + count' "$3" > "$run/$4.partial"
    mv "$run/$4.partial" "$run/$4"
  fi
}

# number FIELD FILE: a number of the first level of an object on one line of JSON.
number() { sed -n "s/^{[^{}]*\"$1\":\([-0-9.e]*\).*/\1/p" "$2"; }

# The last line of a script that was given --smoke.
smoke_says() {
  [ "$smoke" = no ] || printf '\n%s\n' "The numbers above mean nothing: with --smoke, the models have learned next to nothing."
}
