#!/usr/bin/env bash
# Installs what precis needs from the distribution (Debian 12), and nothing that is there already.
# usage: scripts/install.sh [--tools]
#   --tools  also what formatting, checks and benchmarks need
. "$(dirname "$0")/common.sh"

packages=(
  g++                            # C++20
  cmake ninja-build pkgconf      # the build
  git                            # the commit in precis --version
  ccache                         # builds in several folders share what they compile
  openmpi-bin libopenmpi-dev     # ranks and their messages
  libhdf5-openmpi-dev            # model files and checkpoints
  libhwy-dev                     # Highway: one source for several instruction sets, chosen at start
  librandom123-dev               # Philox: random numbers as functions of a counter
  libboost-program-options-dev   # the option table of each command
  nlohmann-json3-dev             # tokenizer.json, safetensors headers, JSON Lines
  libpcre2-dev                   # the tokenizer's splitting rule
  libfmt-dev libspdlog-dev       # messages and the log
  libxxhash-dev                  # content digests
  zlib1g-dev                     # .gz input
  libgtest-dev libgmock-dev      # the tests
  shellcheck                     # the test of the scripts
)
tools=(
  clang-format clang-tidy        # formatting and static checks
  libomp-dev                     # omp.h for clang
  libbenchmark-dev libdnnl-dev   # the kernels' benchmark, which stands beside oneDNN
)

case ${1-} in
  "") ;;
  --tools) packages+=("${tools[@]}") ;;
  *) wrong_use "$1 is not an argument of install.sh." ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "This script knows Debian's apt-get only. Install what these packages hold, then run scripts/build.sh:
  ${packages[*]}"
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  echo "All ${#packages[@]} packages are installed."
  exit 0
fi

if [ "$(id -u)" = 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo true; }; }; then
  as_root=(sudo env)
else
  fail "${#missing[@]} packages are missing, and installing them needs root or sudo. As root, run:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
fi

say "Installing ${#missing[@]} packages: ${missing[*]}"
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}"
