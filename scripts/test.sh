#!/usr/bin/env bash
# Installs what is missing, builds everything, runs the tests.
# usage: scripts/test.sh [--preset NAME] [--label REGEX] [--long] [--cuda]
#   --preset  release (default), debug or sanitize
#   --label   only the tests with such a label
#   --long    also the tests labelled long
#   --cuda    also builds the CUDA backend, in build-cuda/, where there is a toolkit, with a GPU or without one
. "$(dirname "$0")/common.sh"

preset=release cuda=no
select=(--label-exclude long)
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$(value_of "a name" "$@"); shift 2 ;;
    --label) label=$(value_of "a regular expression" "$@"); shift 2 ;;
    --long) select=(); shift ;;
    --cuda) cuda=yes; shift ;;
    *) wrong_use "$1 is not an argument of test.sh." ;;
  esac
done

# The version of CUDA's toolkit, or nothing.
cuda_toolkit() {
  local nvcc
  nvcc=$(PATH=$PATH:/usr/local/cuda/bin command -v nvcc) || return 0
  "$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'
}

build_and_test_cuda() {
  local found oldest=12.4
  found=$(cuda_toolkit)
  if [ -z "$found" ] || [ "$(printf '%s\n' "$oldest" "$found" | sort -V | head -n 1)" != "$oldest" ]; then
    echo "Not built: CUDA's toolkit $oldest or newer is needed, found ${found:-none}."
    return
  fi
  "$root/scripts/build.sh" --preset cuda precis gpu_tests
  "$root/build-cuda/bin/precis" --version
  (cd "$root" && ctest --preset cuda --tests-regex '^gpu_tests$')
}

say "Packages"
"$root/scripts/install.sh"
"$root/scripts/build.sh" --preset "$preset"

cd "$root"
mpi_environment 8
if [ "$cuda" = yes ]; then
  say "CUDA"
  build_and_test_cuda
fi
say "Tests"
ctest --preset "$preset" --parallel "$(nproc)" "${select[@]}" ${label:+--label-regex "$label"}
