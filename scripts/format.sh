#!/usr/bin/env bash
# Formats the sources, or checks them.
# usage: scripts/format.sh [--check | --tidy [FILE ...]]
#   --check  says what would change, and changes nothing; status 1 if anything would
#   --tidy   clang-tidy over the given sources, or over all that are compiled
. "$(dirname "$0")/common.sh"

case ${1-} in
  "" | --check | --tidy) ;;
  *) wrong_use "$1 is not an argument of format.sh." ;;
esac
cd "$root"
"$root/scripts/install.sh" --tools

sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

case ${1-} in
  "") sources '*.cpp' '*.hpp' '*.cu' '*.h' | xargs clang-format -i ;;
  --check) sources '*.cpp' '*.hpp' '*.cu' '*.h' | xargs clang-format --dry-run --Werror ;;
  --tidy)
    shift
    cmake --preset release > /dev/null
    cmake --build --preset release --target precis_commit > /dev/null # a generated header
    if [ $# -gt 0 ]; then
      printf '%s\n' "$@"
    else
      sed -n 's/^ *"file": "\(.*\.cpp\)",\{0,1\}$/\1/p' build/compile_commands.json | sort -u
    fi | xargs -P "$(parallel_jobs)" -n 1 clang-tidy -p build --quiet --warnings-as-errors='*'
    ;;
esac
