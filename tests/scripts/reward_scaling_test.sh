#!/usr/bin/env bash
# reward_scaling.sh: a line for each size with the pairs it was trained on, a second time nothing is
# trained again, and other keys do not go on in the same folder.
# usage: reward_scaling_test.sh PROGRAM FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PRECIS=$1
run=$2
rm -rf "$run"
mkdir -p "$run"

fail() {
  echo "$*" >&2
  exit 1
}

"$PRECIS" synthesize --output "$run/data" --posts 200 --seed 2
"$PRECIS" tokenizer --input "$run/data/train.jsonl" --vocab 1024 --output "$run/tokenizer.json"
"$PRECIS" sft "$root/inputs/quickstart_sft.cfg" --tokenizer "$run/tokenizer.json" --threads 1 \
  --data.train "$run/data/train.jsonl" --data.valid "$run/data/valid.jsonl" --train.steps 1 --run "$run/sft"
"$PRECIS" label simulate --input "$run/data/train.jsonl" --output "$run/comparisons.jsonl" \
  --label.contrast_share 1 --label.valid_share 0.5
scale() {
  "$root/scripts/reward_scaling.sh" --model "$run/sft/model.h5" --train "$run/comparisons.jsonl" --sizes "5 1000" --ranks 2 \
    --run "$run/scaling" --train.batch 16 "$@"
}

train=$(grep -c '"split":"train"' "$run/comparisons.jsonl")
valid=$(grep -c '"split":"valid1"' "$run/comparisons.jsonl")
scale
[ "$(awk 'NR == 2 {print $1, $2, $3}' "$run/scaling/scaling.txt")" = "5 5 $valid" ] || fail "the first size is wrong"
[ "$(awk 'NR == 3 {print $1, $2, $3}' "$run/scaling/scaling.txt")" = "1000 $train $valid" ] ||
  fail "the size beyond the data is wrong"
awk 'NR > 1 && !($4 >= 0 && $4 <= 1 && $5 ~ /^\(0\.[0-9]+$/) {exit 1}' "$run/scaling/scaling.txt" ||
  fail "a line has no accuracy with its interval"

before=$(sha256sum "$run"/scaling/*/model.h5 "$run"/scaling/*.json)
scale > "$run/second.txt"
[ "$(grep -c ': done already$' "$run/second.txt")" = 4 ] || fail "a stage was done again"
[ "$before" = "$(sha256sum "$run"/scaling/*/model.h5 "$run"/scaling/*.json)" ] || fail "a second run changed its files"
if scale --train.epochs 2 > "$run/other.txt" 2>&1; then
  fail "other keys went on in the same folder"
fi
grep -q 'other settings' "$run/other.txt" || fail "the message does not say why"
