#!/usr/bin/env bash
# iterate.sh --smoke: each round has its comparisons and models, a second time nothing is done again, and the
# run goes on with another round, in which the newest policy's summaries are compared.
# usage: iterate_test.sh PROGRAM FOLDER
set -euo pipefail
iterate=$(cd "$(dirname "$0")/../.." && pwd)/scripts/iterate.sh
export PRECIS=$1
run=$2
rm -rf "$run"
mkdir -p "$run"

fail() {
  echo "$*" >&2
  exit 1
}

"$iterate" --smoke --pairs 60 --rounds 1 --run "$run"
before=$(sha256sum "$run"/round_1/*/*.h5 "$run/round_1/comparisons.jsonl")
"$iterate" --smoke --pairs 60 --rounds 2 --run "$run" > "$run/second.txt"
[ "$before" = "$(sha256sum "$run"/round_1/*/*.h5 "$run/round_1/comparisons.jsonl")" ] || fail "round 1 changed"
for file in round_2/reward/model.h5 round_2/ppo/policy.h5 round_2/agreement.json table.json; do
  [ -s "$run/$file" ] || fail "$file is missing"
done
grep -q 'round-1 *round-2' "$run/table.txt" || fail "the table does not have both rounds"
grep -q '"policy":"ppo-1"' "$run/round_2/comparisons.jsonl" || fail "round 2 does not compare the newest policy"
[ -z "$(cat "$run"/round_?/posts.jsonl | sort | uniq -d)" ] || fail "a post is in both rounds"

"$iterate" --smoke --pairs 60 --rounds 2 --run "$run" > "$run/third.txt"
! grep -E '^-- [0-9]+ s$' "$run/third.txt" || fail "a stage was done again"
