#!/usr/bin/env bash
# Builds precis into build/ (Release), or a preset of CMakePresets.json into its folder.
# usage: scripts/build.sh [--preset NAME] [--werror] [TARGET ...]
#   --preset  release (default), debug, sanitize or another of CMakePresets.json
#   --werror  warnings are errors, from now on in that folder
#   TARGET    what to build, such as precis; without a target: everything
. "$(dirname "$0")/common.sh"

preset=release settings=()
while [[ ${1-} = -* ]]; do
  case $1 in
    --preset) preset=$(value_of "a name" "$@"); shift 2 ;;
    --werror) settings=(-DPRECIS_WERROR=ON); shift ;;
    *) wrong_use "$1 is not an argument of build.sh." ;;
  esac
done

cd "$root"
jobs=$(parallel_jobs)
say "Building the preset $preset with $jobs jobs"
cmake --preset "$preset" "${settings[@]}" > /dev/null
cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
