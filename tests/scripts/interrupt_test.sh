#!/usr/bin/env bash
# What Ctrl-C does to a stage of the scripts: the run finishes its long step, saves, and the same
# command goes on from there.
# usage: interrupt_test.sh PROGRAM MAKE_MODELS FOLDER
set -euo pipefail
. "$(dirname "$0")/../../scripts/common.sh"
. "$root/scripts/stages.sh"
PRECIS=$1 run=$3 seed=1
rm -rf "$run"
mkdir -p "$run"
"$2" "$run"
mpi_environment 2

stage_of() {
  on_ranks 2 ppo --policy "$run/policy.h5" --reward "$run/reward.h5" --data.prompts "$run/prompts.jsonl" \
    --data.max_query_tokens 100 --data.max_response_tokens 8 --train.steps 100 --ppo.batch 256 \
    --ppo.epochs 4 --run "$run/ppo" "$@"
}

(stage_of) > "$run/first.txt" 2>&1 &
script=$!
for _ in $(seq 600); do
  [ ! -e "$run/ppo/metrics.jsonl" ] || break
  sleep 0.1
done
kill -TERM "$script"
status=0
wait "$script" || status=$?
cat "$run/first.txt"
[ "$status" = 75 ] || fail "the status was $status, expected 75"
grep -q 'SIGUSR1 was received' "$run/first.txt" || fail "the signal was not acknowledged"
[ "$(wc -l < "$run/ppo/metrics.jsonl")" = 1 ] || fail "expected one step"
status=0
stage_of --train.stop_after 1 > "$run/second.txt" 2>&1 || status=$?
[ "$status" = 75 ] || fail "going on: the status was $status, expected 75"
grep -q 'goes on from .*step_000001.h5 after 1 step\.' "$run/second.txt" || fail "it did not go on"
