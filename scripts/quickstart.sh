#!/usr/bin/env bash
# The whole loop on the embedded data set: installs and builds what is missing, then trains a
# policy from simulated feedback and shows what it learned. Stages that are done are not done again.
# usage: scripts/quickstart.sh [--smoke] [--run DIR] [--seed N] [--ranks N]
#   --smoke  the same in a minute, with a model that has learned next to nothing
#   --run    folder for everything that is made (default runs/quickstart or runs/smoke)
#   --seed   from which all random numbers follow (default 1)
#   --ranks  MPI ranks of PPO, at least 3: rollout, reward and learner have their own (default 4)
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"
. "$root/scripts/embedded.sh"

smoke=no seed=1 ranks=4 run=
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) smoke=yes; shift ;;
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    --ranks) ranks=$(value_of "a number" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of quickstart.sh." ;;
  esac
done
[ "$ranks" -ge 3 ] || wrong_use "--ranks is $ranks; expected at least 3: rollout, reward and learner."

if [ "$smoke" = yes ]; then
  run=${run:-$root/runs/smoke}
  sft_rows=1280 ppo_rows=120 fact_rows=200 pair_rows=200 valid_rows=50 test_rows=50 best_rows=20
  steps=(--train.steps 3 --ppo.batch 32)
else
  run=${run:-$root/runs/quickstart}
  sft_rows=28800 ppo_rows=5800 fact_rows=16000 pair_rows=5000 valid_rows=500 test_rows=2000 best_rows=500
  steps=()
fi

require_program
prepare_stages "$run" "seed $seed, smoke $smoke" "$ranks"

embedded_posts "$sft_rows" "$ppo_rows" "$fact_rows" "$pair_rows" "$valid_rows" "$test_rows"
rows 1 "$best_rows" "$run/posts_test.jsonl" posts_best.jsonl
embedded_sft
embedded_facts

stage "Two samples of each post, to be compared" pairs_samples.jsonl \
  sample 1 sft/model.h5 posts_pairs.jsonl pairs_samples.jsonl --sampling.n 2
stage "Simulated comparisons" comparisons.jsonl \
  "$PRECIS" label simulate --input "$run/posts_pairs.jsonl" --samples "$run/pairs_samples.jsonl" \
  --output "$run/comparisons.jsonl" --label.valid_share 0.2 --label.seed "$seed"

embedded_reward reward reward_facts "$run/comparisons.jsonl,$run/facts_again.jsonl"
embedded_ppo ppo reward "${steps[@]}"

# look TEMPERATURE SUFFIX: what the policies before and after PPO write for held-out posts.
look() {
  stage "Summaries of held-out posts before PPO, temperature $1" "test_sft$2.jsonl" \
    sample "$1" sft/model.h5 posts_test.jsonl "test_sft$2.jsonl"
  stage "Summaries of held-out posts after PPO, temperature $1" "test_ppo$2.jsonl" \
    sample "$1" ppo/policy.h5 posts_test.jsonl "test_ppo$2.jsonl"
  stage "Their log-probs before PPO, for the KL" "test_ppo${2}_scores.jsonl" \
    score sft/model.h5 "test_ppo$2.jsonl" "test_ppo${2}_scores.jsonl"
}
look 0 ""
look 1 _sampled
stage "16 samples of each of $best_rows held-out posts, temperature 0.7" best_samples.jsonl \
  sample 0.7 sft/model.h5 posts_best.jsonl best_samples.jsonl --sampling.n 16
stage "Their rewards" best_rewards.jsonl score reward/model.h5 best_samples.jsonl best_rewards.jsonl

say "The reward model on comparisons it was not trained on"
"$PRECIS" evaluate reward --model "$run/reward/model.h5" --input "$run/comparisons.jsonl" --split valid1 \
  --json "$run/agreement.json" | grep -E '^( |all|policies)'

say "The best of n samples by the reward model"
"$PRECIS" evaluate best-of-n --input "$run/posts_best.jsonl" --samples "$run/best_samples.jsonl" \
  --rewards "$run/best_rewards.jsonl" --temperature 0.7 --json "$run/best.json"

# learned TEMPERATURE SUFFIX POSTS: the policies side by side, and some posts with what each wrote.
learned() {
  "$PRECIS" evaluate table --input "$run/posts_test.jsonl" --names SFT,PPO --temperature "$1" --posts "$3" \
    --samples "$run/test_sft$2.jsonl,$run/test_ppo$2.jsonl" --scores "$run/test_ppo${2}_scores.jsonl" \
    --json "$run/table$2.json" | tee "$run/table$2.txt"
}
say "What was learned, in samples at temperature 1 as PPO draws them"
learned 1 _sampled 0
say "What was learned, in each policy's most likely tokens (temperature 0, as the paper evaluates)"
learned 0 "" 3

cat <<END

All of it is in $run ($((SECONDS - started)) s this time):
  sft/model.h5 reward/model.h5 ppo/policy.h5   the models
  {sft,reward,ppo}/metrics.jsonl               each step's numbers
  facts.jsonl comparisons.jsonl                what the simulated labeler chose
  test_sft.jsonl test_ppo.jsonl                the summaries of the held-out posts
  table*.txt {table*,best,agreement}.json      the tables above
END
smoke_says
