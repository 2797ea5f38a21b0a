#!/usr/bin/env bash
# Builds precis into build/ (Release), or a preset of CMakePresets.json into its folder.
# usage: scripts/build.sh [--preset NAME] [TARGET ...]    without a target: everything
. "$(dirname "$0")/common.sh"

preset=release
if [ "${1-}" = --preset ]; then
  preset=${2:?--preset needs a name; CMakePresets.json lists them}
  shift 2
fi

cd "$root"
jobs=$(parallel_jobs)
say "Building the preset $preset with $jobs jobs"
cmake --preset "$preset" > /dev/null
cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
