#!/usr/bin/env bash
# Installs what is missing, builds everything, runs the tests.
# usage: scripts/test.sh [--preset NAME] [--label REGEX] [--long] [--cuda]
#   --preset  release (default), debug or sanitize
#   --label   only the tests with such a label
#   --long    also the tests labelled long
#   --cuda    also builds the CUDA backend, in build-cuda/, where there is a toolkit, with a GPU or without one, and
#             runs its tests: all of them on a GPU, and those that need none; warnings are errors, in both builds
# Where there is ccache, the two builds share what they compile.
. "$(dirname "$0")/common.sh"

preset=release cuda=no werror=()
select=(--label-exclude long)
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$(value_of "a name" "$@"); shift 2 ;;
    --label) label=$(value_of "a regular expression" "$@"); shift 2 ;;
    --long) select=(); shift ;;
    --cuda) cuda=yes werror=(--werror); shift ;;
    *) wrong_use "$1 is not an argument of test.sh." ;;
  esac
done

# The version of CUDA's toolkit, or nothing.
cuda_toolkit() {
  local nvcc
  nvcc=$(PATH=$PATH:/usr/local/cuda/bin command -v nvcc) || return 0
  "$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'
}

# Its kernels compiled for the host are tests of every build, and among those below.
build_and_test_cuda() {
  local found oldest=12.4
  found=$(cuda_toolkit)
  if [ -z "$found" ] || [ "$(printf '%s\n' "$oldest" "$found" | sort -V | head -n 1)" != "$oldest" ]; then
    echo "The CUDA backend was not built: it needs CUDA's toolkit $oldest or newer, with nvcc in PATH or in"
    echo "/usr/local/cuda/bin; found: ${found:-none}. Its kernels are tested as compiled for the host only."
    return
  fi
  "$root/scripts/build.sh" --preset cuda precis gpu_tests kernels_loads_cublaslt
  "$root/build-cuda/bin/precis" --version
  (cd "$root" && ctest --preset cuda --tests-regex '^(gpu_tests|kernels_loads_cublaslt)$')
}

say "Packages"
"$root/scripts/install.sh"
if command -v ccache > /dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
"$root/scripts/build.sh" --preset "$preset" "${werror[@]}"

cd "$root"
mpi_environment 8
if [ "$cuda" = yes ]; then
  say "CUDA"
  build_and_test_cuda
fi
say "Tests"
ctest --preset "$preset" --parallel "$(nproc)" "${select[@]}" ${label:+--label-regex "$label"}
