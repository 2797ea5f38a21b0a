#!/usr/bin/env bash
# Where optimising a learned reward too far makes summaries worse (the paper's figure 5), on the embedded
# data set: two reward models, that of the quickstart and one from few comparisons by labelers who like
# length and do not check facts; PPO against each with several KL coefficients, looked at every
# ten steps; and best-of-n by each. For every one of these policies the reward model's score and the gold
# labeler's, against the square root of the KL to the supervised model. Stages that are done are not done again.
# usage: scripts/overoptimize.sh [--smoke] [--kl LIST] [--pairs N] [--few N] [--run DIR] [--seed N] [--ranks N]
#   --smoke  the same in a minute or two, with models that have learned next to nothing
#   --kl     KL coefficients with commas between (default 0,0.05,0.3)
#   --pairs  comparisons for the first reward model (default 5000, with --smoke 400)
#   --few    comparisons for the second (default 400, with --smoke 100)
#   --run    folder for everything that is made (default runs/overoptimize or runs/overoptimize_smoke)
#   --seed   from which all random numbers follow (default 1)
#   --ranks  MPI ranks of PPO, at least 3 (default 4)
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"
. "$root/scripts/embedded.sh"

smoke=no coefficients=0,0.05,0.3 pairs='' few='' seed=1 ranks=4 run=
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) smoke=yes; shift ;;
    --kl) coefficients=$(value_of "a list" "$@"); shift 2 ;;
    --pairs) pairs=$(value_of "a number" "$@"); shift 2 ;;
    --few) few=$(value_of "a number" "$@"); shift 2 ;;
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    --ranks) ranks=$(value_of "a number" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of overoptimize.sh." ;;
  esac
done
[ "$ranks" -ge 3 ] || wrong_use "--ranks is $ranks; expected at least 3: rollout, reward and learner."

if [ "$smoke" = yes ]; then
  run=${run:-$root/runs/overoptimize_smoke} pairs=${pairs:-400} few=${few:-100}
  sft_rows=1280 ppo_rows=120 fact_rows=200 valid_rows=50 test_rows=50 best_rows=20
  looks=(2 4)
  steps=(--train.steps 4 --ppo.batch 32 --checkpoint.every_steps 2)
else
  run=${run:-$root/runs/overoptimize} pairs=${pairs:-5000} few=${few:-400}
  sft_rows=28800 ppo_rows=5800 fact_rows=16000 valid_rows=500 test_rows=500 best_rows=200
  looks=(10 20 30 40)
  steps=()
fi
[[ $pairs -ge 10 && $few -ge 10 ]] || wrong_use "--pairs and --few must be at least 10."

require_program
prepare_stages "$run" "overoptimize, seed $seed, smoke $smoke, pairs $pairs, few $few" "$ranks"
embedded_posts "$sft_rows" "$ppo_rows" "$fact_rows" "$((pairs > few ? pairs : few))" "$valid_rows" "$test_rows"
embedded_sft
embedded_facts
rows 1 "$few" "$run/posts_pairs.jsonl" posts_few.jsonl
rows 1 "$best_rows" "$run/posts_test.jsonl" posts_best.jsonl
stage "Two samples of each post, to be compared" pairs_samples.jsonl \
  sample 1 sft/model.h5 posts_pairs.jsonl pairs_samples.jsonl --sampling.n 2
stage "Two samples of few posts" few_samples.jsonl \
  sample 1 sft/model.h5 posts_few.jsonl few_samples.jsonl --sampling.n 2
stage "Summaries of held-out posts before PPO" test_sft.jsonl sample 1 sft/model.h5 posts_test.jsonl test_sft.jsonl
stage "64 samples of each of $best_rows held-out posts" best_samples.jsonl \
  sample 1 sft/model.h5 posts_best.jsonl best_samples.jsonl --sampling.n 64

mkdir -p "$run/careful" "$run/biased"
stage "Careful comparisons" careful/comparisons.jsonl \
  "$PRECIS" label simulate --input "$run/posts_pairs.jsonl" --samples "$run/pairs_samples.jsonl" \
  --output "$run/careful/comparisons.jsonl" --label.valid_share 0.2 --label.seed "$seed"
stage "Few comparisons by labelers who like length and do not check facts" biased/comparisons.jsonl \
  "$PRECIS" label simulate --input "$run/posts_few.jsonl" --samples "$run/few_samples.jsonl" \
  --output "$run/biased/comparisons.jsonl" --label.valid_share 0.2 --label.seed "$seed" \
  --label.workers ann:accuracy_blind:length=4,bob:accuracy_blind:length=4

# look GROUP FOLDER MODEL: what the policy writes for the held-out posts, and how it is scored.
look() {
  stage "Summaries by $3" "$2/test.jsonl" sample 1 "$3" posts_test.jsonl "$2/test.jsonl"
  stage "Their log-probs under the supervised model" "$2/test_scores.jsonl" \
    score sft/model.h5 "$2/test.jsonl" "$2/test_scores.jsonl"
  stage "Their rewards" "$2/test_rewards.jsonl" \
    score "$1/reward/model.h5" "$2/test.jsonl" "$2/test_rewards.jsonl"
}

IFS=, read -ra kls <<< "$coefficients"
embedded_reward careful/reward reward_facts "$run/careful/comparisons.jsonl,$run/facts_again.jsonl"
embedded_reward biased/reward sft "$run/biased/comparisons.jsonl"
for group in careful biased; do
  stage "Rewards before PPO" "$group/sft_rewards.jsonl" \
    score "$group/reward/model.h5" test_sft.jsonl "$group/sft_rewards.jsonl"
  for kl in "${kls[@]}"; do
    folder=$group/kl_$kl
    # All checkpoints are kept, and the guard against a runaway KL is off: that is what is looked at here.
    embedded_ppo "$folder" "$group/reward" --ppo.kl "$kl" --ppo.max_kl 0 --checkpoint.keep 100 "${steps[@]}"
    samples=$run/test_sft.jsonl names=SFT scores='' rewards=$run/$group/sft_rewards.jsonl
    for step in "${looks[@]}"; do
      at=$folder/at_$step
      mkdir -p "$run/$at"
      look "$group" "$at" "$folder/checkpoints/$(printf 'step_%06d.h5' "$step")"
      samples+=,$run/$at/test.jsonl names+=",step $step"
      scores+=${scores:+,}$run/$at/test_scores.jsonl rewards+=,$run/$at/test_rewards.jsonl
    done
    say "The $group reward model, KL coefficient $kl"
    "$PRECIS" evaluate overoptimization --input "$run/posts_test.jsonl" --samples "$samples" --names "$names" \
      --scores "$scores" --rewards "$rewards" --method "KL coefficient $kl" --points "$run/$folder/points.jsonl"
  done
  stage "Rewards of the 64 samples" "$group/best_rewards.jsonl" \
    score "$group/reward/model.h5" best_samples.jsonl "$group/best_rewards.jsonl"
  say "The $group reward model, best of n"
  "$PRECIS" evaluate best-of-n --samples "$run/best_samples.jsonl" --rewards "$run/$group/best_rewards.jsonl" \
    --input "$run/posts_best.jsonl" --points "$run/$group/best_points.jsonl"
  cat "$run/$group"/kl_*/points.jsonl "$run/$group/best_points.jsonl" > "$run/$group/overoptimize.jsonl"
done
"$PRECIS" report "$run" --output "$run/report.html"

cat <<END

All of it is in $run ($((SECONDS - started)) s this time):
  careful/ biased/            comparisons.jsonl, reward/, kl_*/ and overoptimize.jsonl of each reward model
  report.html                 the pictures
END
smoke_says
