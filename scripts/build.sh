#!/usr/bin/env bash
# Builds precis into build/ (Release), or a preset of CMakePresets.json into its folder.
# usage: scripts/build.sh [--preset NAME] [TARGET ...]
#   --preset  release (default), debug, sanitize or another of CMakePresets.json
#   TARGET    what to build, such as precis; without a target: everything
. "$(dirname "$0")/common.sh"

preset=release
if [ "${1-}" = --preset ]; then
  preset=$(value_of "a name" "$@")
  shift 2
fi
for word in "$@"; do
  [[ $word != -* ]] || wrong_use "$word is not an argument of build.sh."
done

cd "$root"
jobs=$(parallel_jobs)
say "Building the preset $preset with $jobs jobs"
cmake --preset "$preset" > /dev/null
cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
