#!/usr/bin/env bash
# What bad labelers cost, and what weights repair, on the embedded data set: ten simulated labelers, of whom one
# answers at random and one prefers what is worse; `label audit` estimates each one's accuracy from the comparisons
# alone; the quickstart's reward model, which knows facts but not yet what people like, goes on with all comparisons
# alike, and with these weights; both are evaluated on the same held-out pairs, judged by gold without noise. Stages that are done are not done again.
# usage: scripts/labeler_weights.sh [--smoke] [--seeds N] [--pairs N] [--run DIR] [--seed N]
#   --smoke  the same in a minute, with models that have learned next to nothing
#   --seeds  how many times, each with new judgements and another order of training (default 5, with --smoke 1)
#   --pairs  pairs to judge, each by three labelers (default 600, with --smoke 60)
#   --run    folder for everything that is made (default runs/labeler_weights or runs/labeler_weights_smoke)
#   --seed   from which all random numbers follow (default 1)
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"
. "$root/scripts/embedded.sh"

smoke=no seeds='' pairs='' seed=1 run=
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) smoke=yes; shift ;;
    --seeds) seeds=$(value_of "a number" "$@"); shift 2 ;;
    --pairs) pairs=$(value_of "a number" "$@"); shift 2 ;;
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of labeler_weights.sh." ;;
  esac
done

if [ "$smoke" = yes ]; then
  run=${run:-$root/runs/labeler_weights_smoke} seeds=${seeds:-1} pairs=${pairs:-60}
  sft_rows=1280 ppo_rows=120 fact_rows=200 valid_rows=50 test_rows=50
  steps=(--train.steps 5)
else
  run=${run:-$root/runs/labeler_weights} seeds=${seeds:-5} pairs=${pairs:-600}
  sft_rows=28800 ppo_rows=5800 fact_rows=16000 valid_rows=500 test_rows=2000
  steps=()
fi
[ "$pairs" -ge 10 ] || wrong_use "--pairs is $pairs; expected at least 10."
[ "$seeds" -ge 1 ] || wrong_use "--seeds is $seeds; expected at least 1."

require_program
prepare_stages "$run" "labeler weights, seed $seed, smoke $smoke, pairs $pairs" "$(nproc)"
embedded_posts "$sft_rows" "$ppo_rows" "$fact_rows" "$pairs" "$valid_rows" "$test_rows"
embedded_sft
embedded_facts
stage "Two samples of each post, to be compared" pairs_samples.jsonl \
  sample 1 sft/model.h5 posts_pairs.jsonl pairs_samples.jsonl --sampling.n 2
stage "Two samples of held-out posts" test_samples.jsonl \
  sample 1 sft/model.h5 posts_test.jsonl test_samples.jsonl --sampling.n 2
stage "Held-out comparisons, by gold without noise" test_comparisons.jsonl \
  "$PRECIS" label simulate --input "$run/posts_test.jsonl" --samples "$run/test_samples.jsonl" \
  --output "$run/test_comparisons.jsonl" --label.temperature 0 --label.valid_share 1 --label.seed "$seed"

for ((turn = seed; turn < seed + seeds; ++turn)); do
  folder=seed_$turn
  mkdir -p "$run/$folder"
  stage "Seed $turn: judgements of ten labelers" "$folder/comparisons.jsonl" \
    "$PRECIS" label simulate --input "$run/posts_pairs.jsonl" --samples "$run/pairs_samples.jsonl" \
    --output "$run/$folder/comparisons.jsonl" --label.valid_share 0 --label.seed "$turn" --label.per_pair 3 \
    --label.workers ann,bob,cal,dan,eve,flo,gus,hal,ida:random,joe:adversarial
  stage "Seed $turn: how reliable each is" "$folder/weights.json" \
    "$PRECIS" label audit --input "$run/$folder/comparisons.jsonl" --weights "$run/$folder/weights.json" \
    --json "$run/$folder/audit.json"
  for kind in alike weighted; do
    weights=()
    [ $kind = alike ] || weights=(--data.worker_weights "$run/$folder/weights.json")
    seed=$turn stage "Seed $turn: reward model, comparisons $kind" "$folder/$kind/model.h5" \
      on_ranks "$cores" reward "$root/inputs/quickstart_reward.cfg" --model "$run/reward_facts/model.h5" \
      --data.train "$run/$folder/comparisons.jsonl" --data.valid= --data.valid_split= --train.keep last \
      --run "$run/$folder/$kind" "${weights[@]}" "${steps[@]}"
    stage "Its accuracy" "$folder/$kind.json" \
      "$PRECIS" evaluate reward --model "$run/$folder/$kind/model.h5" --input "$run/test_comparisons.jsonl" \
      --json "$run/$folder/$kind.json"
  done
done

say "Agreement with gold on the $(number gold_pairs "$run/seed_$seed/alike.json") held-out pairs without a tie"
for ((turn = seed; turn < seed + seeds; ++turn)); do
  printf '%s %s %s\n' "$turn" "$(number gold_agreement "$run/seed_$turn/alike.json")" \
    "$(number gold_agreement "$run/seed_$turn/weighted.json")"
done | awk '
  BEGIN { printf "%6s %10s %10s %12s\n", "seed", "alike", "weighted", "difference" }
  { printf "%6s %10.3f %10.3f %+12.3f\n", $1, $2, $3, $3 - $2; a += $2; w += $3; d += $3 - $2; dd += ($3 - $2) ^ 2 }
  END {
    printf "%6s %10.3f %10.3f %+12.3f", "mean", a / NR, w / NR, d / NR
    if (NR > 1) printf " (standard error %.3f)", sqrt((dd - d * d / NR) / (NR - 1) / NR)
    print ""
  }' | tee "$run/table.txt"
echo
echo "All of it is in $run ($((SECONDS - started)) s this time)."
smoke_says
