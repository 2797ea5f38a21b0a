#!/usr/bin/env bash
# labeler_weights.sh --smoke: a line for each seed with both accuracies, the random and the adversarial labeler weigh
# little, more seeds go on in the same folder without doing anything again, and other settings do not.
# usage: labeler_weights_test.sh PROGRAM FOLDER
set -euo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/labeler_weights.sh
export PRECIS=$1
run=$2
rm -rf "$run"
mkdir -p "$run"

fail() {
  echo "$*" >&2
  exit 1
}

"$script" --smoke --pairs 200 --run "$run"
awk 'NR == 2 && ($1 != 1 || $2 <= 0 || $2 >= 1 || $3 <= 0 || $3 >= 1) { exit 1 }' "$run/table.txt" ||
  fail "the line of seed 1 is not its two accuracies"
[ "$(wc -l < "$run/table.txt")" = 3 ] || fail "expected a heading, a line and the mean"
awk -F'[:,]' '/"(ida|joe)": / && $2 > 0.35 { exit 1 }' "$run/seed_1/weights.json" ||
  fail "the random or the adversarial labeler was not found"
cmp -s "$run/seed_1/alike/model.h5" "$run/seed_1/weighted/model.h5" && fail "the weights changed nothing"

before=$(sha256sum "$run"/seed_1/*/model.h5 "$run"/seed_1/*.json)
"$script" --smoke --pairs 200 --seeds 2 --run "$run" > "$run/second.txt"
[ "$(grep -c ': done already$' "$run/second.txt")" = 14 ] || fail "a stage was done again"
[ "$before" = "$(sha256sum "$run"/seed_1/*/model.h5 "$run"/seed_1/*.json)" ] || fail "more seeds changed the first one's files"
[ "$(wc -l < "$run/table.txt")" = 4 ] || fail "the second seed has no line"
grep -q 'standard error' "$run/table.txt" || fail "the mean has no standard error"

if "$script" --smoke --run "$run" > "$run/other.txt" 2>&1; then
  fail "other settings went on in the same folder"
fi
grep -q 'other settings' "$run/other.txt" || fail "the message does not say why"
