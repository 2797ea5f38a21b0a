#!/bin/sh
# Kills a `ppo` run at random moments, continues it each time, and compares it with an uncut run:
#   kill_sweep.sh PRECIS MAKE_MODELS MPIEXEC [KILLS [RANKS [SEED]]]
# A kill is SIGKILL to all ranks, SIGKILL to one rank, or SIGTERM to one rank (which saves first).
# Exits 0 if policy, value network, last checkpoint, metrics (but for times) and episodes are equal.
set -eu
precis=$1
make_models=$2
mpiexec=$3
kills=${4:-50}
ranks=${5:-3}
seed=${6:-1}
steps=60
work=$(mktemp -d)
job=
# When one rank is gone, mpirun ends the others at once, not after two seconds.
export OMPI_MCA_odls_base_sigkill_timeout=0
trap 'test -z "$job" || kill -9 "$job" 2>/dev/null; rm -rf "$work"' EXIT

"$make_models" "$work/models"
if [ "$ranks" -ge 3 ]; then placement=dedicated; else placement=colocated; fi

launch() { # RUN: becomes the job
  exec "$mpiexec" --oversubscribe --bind-to none -n "$ranks" "$precis" ppo \
    --policy "$work/models/policy.h5" --reference "$work/models/reference.h5" \
    --reward "$work/models/reward.h5" --data.prompts "$work/models/prompts.jsonl" \
    --data.max_query_tokens 100 --data.max_response_tokens 8 --train.steps "$steps" \
    --train.learning_rate 1e-3 --ppo.batch 8 --ppo.mini_batches 2 --ppo.log_episodes 8 \
    --ppo.samples_every 5 --checkpoint.every_steps 2 --placement "$placement" --threads 1 \
    --watchdog_seconds 20 --log.level warning --run "$work/$1"
}

random() { # BELOW: the next number of a linear congruential generator
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  drawn=$((seed / 65536 % $1))
}

ranks_of() { # the processes that mpirun started
  ps -o pid= --ppid "$1" | tr -d ' '
}

equal_to_whole() {
  for file in policy.h5 value.h5 "checkpoints/step_0000$steps.h5"; do
    "$precis" inspect "$work/whole/$file" --diff "$work/cut/$file"
  done
  cmp "$work/whole/episodes.jsonl" "$work/cut/episodes.jsonl"
  cmp "$work/whole/samples.jsonl" "$work/cut/samples.jsonl"
  for run in whole cut; do
    sed -e 's/"seconds[a-z_]*":[^,}]*//g' -e 's/"[a-z_]*_per_second":[^,}]*//g' \
      "$work/$run/metrics.jsonl" >"$work/$run.metrics"
  done
  cmp "$work/whole.metrics" "$work/cut.metrics"
}

(launch whole) >"$work/whole.log" 2>&1
cuts=0
for _ in $(seq "$kills"); do
  (launch cut) >"$work/cut.log" 2>&1 &
  job=$!
  random 1000
  sleep "$((drawn / 500)).$(printf %03d $((drawn * 2 % 1000)))"
  random 3
  case $drawn in
    0) { ranks_of "$job"; echo "$job"; } | xargs kill -9 2>/dev/null || true ;;
    1) ranks_of "$job" | tail -n 1 | xargs -r kill -9 2>/dev/null || true ;;
    2) ranks_of "$job" | head -n 1 | xargs -r kill -TERM 2>/dev/null || true ;;
  esac
  status=0
  wait "$job" || status=$?
  job=
  case $status in
    0) # It came to its end between two kills: the next one begins anew.
      equal_to_whole
      rm -rf "$work/cut" ;;
    2)
      cat "$work/cut.log"
      exit 1 ;;
    *) cuts=$((cuts + 1)) ;;
  esac
done
(launch cut) >"$work/cut.log" 2>&1 || {
  cat "$work/cut.log"
  exit 1
}
equal_to_whole
test "$cuts" -gt 0
echo "$kills kills on $ranks ranks, $placement, $cuts of them before the end: the run is the same as an uncut one."
