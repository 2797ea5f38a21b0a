#!/usr/bin/env bash
# Installs what is missing, builds everything, runs the tests.
# usage: scripts/test.sh [--preset NAME] [--label REGEX] [--long]
#   --preset  release (default), debug or sanitize
#   --label   only the tests with such a label
#   --long    also the tests labelled long
. "$(dirname "$0")/common.sh"

preset=release
select=(--label-exclude long)
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$(value_of "a name" "$@"); shift 2 ;;
    --label) label=$(value_of "a regular expression" "$@"); shift 2 ;;
    --long) select=(); shift ;;
    *) wrong_use "$1 is not an argument of test.sh." ;;
  esac
done

say "Packages"
"$root/scripts/install.sh"
"$root/scripts/build.sh" --preset "$preset"

say "Tests"
cd "$root"
mpi_environment 8
ctest --preset "$preset" --parallel "$(nproc)" "${select[@]}" ${label:+--label-regex "$label"}
