#!/usr/bin/env bash
# scripts/gpu_check.sh --smoke, with --device cpu: every step passes and is in the results; and with a program that
# takes the CPU for the device and computes wrongly on it, the steps that look at that fail.
# usage: gpu_check_test.sh PROGRAM FOLDER
set -euo pipefail
gpu_check=$(cd "$(dirname "$0")/../.." && pwd)/scripts/gpu_check.sh
program=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"/{good,bad}/bin "$folder/bad/tests"
ln -s "$program" "$folder/good/bin/precis"

fail() {
  echo "$*" >&2
  exit 1
}
# status_of STEP FILE: of a step in the results.
status_of() { sed -nE 's/.*"name": "'"$1"'", "status": "([a-z]+)".*/\1/p' "$2"; }

"$gpu_check" --device cpu --smoke --build "$folder/good" "$folder/good/out"
results=$folder/good/out/gpu_check.json
[ "$(status_of tests "$results")" = skipped ] || fail "the tests were not skipped"
for step in data sft sampling logprobs training_steps reward ppo continued bench_{kernels,train,decode}; do
  [ "$(status_of "$step" "$results")" = passed ] || fail "$step did not pass"
done
for part in bench_kernels bench_train bench_decode; do
  grep -q "^\"$part\": {\"command\":\"${part/_/ }\"" "$results" || fail "the results have no $part"
done
! grep "$folder" "$results" || fail "the results name folders of this machine"
# It is JSON: what is missing is a field of a row.
tr -d '\n' < "$results" > "$folder/results.jsonl"
"$program" encode --tokenizer "$folder/good/out/tokenizer.json" --input "$folder/results.jsonl" \
  --output "$folder/ids.jsonl" > "$folder/encode.txt" 2>&1 || true
# shellcheck disable=SC2016  # the message has them
grep -q '`text`' "$folder/encode.txt" || fail "the results are not JSON: $(cat "$folder/encode.txt")"

# Wrong on the device, named by the ending of the file: one log-prob of score; the first token of greedy samples,
# whose log-prob says that it was no near-tie; the loss of training. And files that differ, and tests that find no GPU.
cat > "$folder/bad/bin/precis" <<END
#!/usr/bin/env bash
"$program" "\${@/#cuda/cpu}" || exit \$?
case "\$*" in
  *samples_0.jsonl.device*) sed -i -E 's/"response_ids":\[[0-9]+/"response_ids":[0/; s/"logprobs":\[[^],]+/"logprobs":[-9/' "$folder/bad/out/samples_0.jsonl.device" ;;
  *scores.jsonl.device*) sed -i -E '3s/"logprobs":\[[^],]+/"logprobs":[-9/' "$folder/bad/out/scores.jsonl.device" ;;
  *steps.device*) sed -i -E '2s/"loss":[0-9]/"loss":9/' "$folder/bad/out/steps.device/metrics.jsonl" ;;
  inspect*) exit 1 ;;
esac
END
printf '#!/bin/sh\necho "no GPU can be used here"\necho "[  PASSED  ] 1 test."\n' > "$folder/bad/tests/gpu_tests"
chmod +x "$folder/bad/bin/precis" "$folder/bad/tests/gpu_tests"
if "$gpu_check" --smoke --build "$folder/bad" "$folder/bad/out"; then
  fail "a program that computes wrongly passed"
fi
results=$folder/bad/out/gpu_check.json
for step in tests sampling logprobs training_steps continued; do
  [ "$(status_of "$step" "$results")" = failed ] || fail "$step did not fail"
done
for step in data sft reward ppo bench_train; do
  [ "$(status_of "$step" "$results")" = passed ] || fail "$step did not pass beside the others"
done
grep -q '^"failed": 5,$' "$results" || fail "the failures were not counted"
