#!/usr/bin/env bash
# quickstart.sh --smoke: it ends with its table, a second time nothing is done again, and other settings
# do not go on in the same folder.
# usage: quickstart_test.sh PROGRAM FOLDER
set -euo pipefail
quickstart=$(cd "$(dirname "$0")/../.." && pwd)/scripts/quickstart.sh
export PRECIS=$1
run=$2
rm -rf "$run"
mkdir -p "$run"

fail() {
  echo "$*" >&2
  exit 1
}

"$quickstart" --smoke --run "$run"
for file in sft/model.h5 reward/model.h5 ppo/policy.h5 test_ppo.jsonl table.json agreement.json; do
  [ -s "$run/$file" ] || fail "$file is missing"
done
grep -q '^wins against references' "$run/table.txt" || fail "the table has no win rate"
[ "$(wc -l < "$run/ppo/metrics.jsonl")" = 3 ] || fail "expected 3 steps of PPO"

before=$(sha256sum "$run"/*/*.h5 "$run/table.json")
"$quickstart" --smoke --run "$run" > "$run/second.txt"
[ "$(grep -c ': done already$' "$run/second.txt")" = 17 ] || fail "a stage was done again"
[ "$before" = "$(sha256sum "$run"/*/*.h5 "$run/table.json")" ] || fail "a second run changed its files"

if "$quickstart" --smoke --run "$run" --seed 2 > "$run/other.txt" 2>&1; then
  fail "another seed went on in the same folder"
fi
grep -q 'other settings' "$run/other.txt" || fail "the message does not say why"
