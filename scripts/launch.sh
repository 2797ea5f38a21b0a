#!/usr/bin/env bash
# Starts precis on several ranks of this machine so that Ctrl-C (or SIGTERM, or the terminal's end)
# saves and stops the run after its step, however long that takes; the same command then goes on.
# A second Ctrl-C within five seconds ends it at once. Under plain mpirun, Ctrl-C kills the ranks
# after two seconds.
# usage: scripts/launch.sh N COMMAND [ARGUMENT ...]
#   N        how many ranks
#   COMMAND  of precis, with its arguments: scripts/launch.sh 4 sft DECK.cfg --run runs/sft
# With PRECIS set to a program, that one runs; else build/bin/precis.
. "$(dirname "$0")/common.sh" "${1-}"
. "$root/scripts/stages.sh"

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || wrong_use "N is '${1-}', expected a number of ranks."
[ -n "${2-}" ] || wrong_use "COMMAND is missing."
PRECIS=${PRECIS:-$root/build/bin/precis}
[ -x "$PRECIS" ] || fail "$PRECIS is missing; scripts/build.sh builds it."
[ ! -t 0 ] || exec < /dev/null  # mpirun would take the keys that are typed
mpi_environment "$1"
interruptible_ranks "$@"
