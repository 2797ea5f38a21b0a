#!/usr/bin/env bash
# What Ctrl-C does to a stage of the scripts and to launch.sh: the run finishes its long step, saves,
# and the same command goes on from there.
# usage: interrupt_test.sh PROGRAM MAKE_MODELS FOLDER
set -euo pipefail
. "$(dirname "$0")/../../scripts/common.sh"
. "$root/scripts/stages.sh"
PRECIS=$1 run=$3 seed=1
rm -rf "$run"
mkdir -p "$run"
"$2" "$run"
mpi_environment 2

command=(ppo --policy "$run/policy.h5" --reward "$run/reward.h5" --data.prompts "$run/prompts.jsonl"
  --data.max_query_tokens 100 --data.max_response_tokens 8 --train.steps 100 --ppo.batch 256
  --ppo.epochs 4 --run "$run/ppo")

# saved OUTPUT STATUS STEPS: how a run that was interrupted has ended.
saved() {
  cat "$run/$1"
  [ "$2" = 75 ] || fail "the status was $2, expected 75"
  grep -q 'SIGUSR1 was received' "$run/$1" || fail "the signal was not acknowledged"
  grep -q "Stopped after $3 of 100 steps, with a checkpoint: SIGUSR1 was received" "$run/$1" ||
    fail "the end's cause is not said"
  [ "$(wc -l < "$run/ppo/metrics.jsonl")" = "$3" ] || fail "expected $3 steps"
}

(on_ranks 2 "${command[@]}") > "$run/first.txt" 2>&1 &
script=$!
for _ in $(seq 600); do
  [ ! -e "$run/ppo/metrics.jsonl" ] || break
  sleep 0.1
done
kill -TERM "$script"
status=0
wait "$script" || status=$?
saved first.txt "$status" 1

# As a terminal does it: the signal goes to the whole process group. (A shell without job control starts
# what it leaves in the background with SIGINT ignored.)
export PRECIS
env --default-signal=INT setsid "$root/scripts/launch.sh" 2 "${command[@]}" --seed "$seed" --threads 1 \
  > "$run/second.txt" 2>&1 &
group=$!
for _ in $(seq 600); do
  ! grep -q 'goes on from .*step_000001.h5 after 1 step\.' "$run/second.txt" || break
  sleep 0.1
done
kill -INT -- "-$group"
status=0
wait "$group" || status=$?
saved second.txt "$status" 2
