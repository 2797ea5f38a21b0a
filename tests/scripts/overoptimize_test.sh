#!/usr/bin/env bash
# overoptimize.sh --smoke: a row for every policy that was looked at, and the picture.
# usage: overoptimize_test.sh PROGRAM FOLDER
set -euo pipefail
overoptimize=$(cd "$(dirname "$0")/../.." && pwd)/scripts/overoptimize.sh
export PRECIS=$1
run=$2
rm -rf "$run"
mkdir -p "$run"

fail() {
  echo "$*" >&2
  exit 1
}

"$overoptimize" --smoke --kl 0,0.05 --run "$run"
# Two reward models, two coefficients, two looks and the supervised model each; 7 of best-of-n each.
[ "$(cat "$run"/*/overoptimize.jsonl | grep -c '"gold"')" = $((2 * 2 * 3 + 2 * 7)) ] || fail "rows are missing"
grep -q '<svg' "$run/report.html" || fail "the report has no picture"

"$overoptimize" --smoke --kl 0,0.05 --run "$run" > "$run/second.txt"
! grep -E '^-- [0-9]+ s$' "$run/second.txt" || fail "a stage was done again"
