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
  posts=2000 sft_rows=1280 pair_rows=400 test_rows=50
  steps=(--train.steps 3 --ppo.batch 32)
else
  run=${run:-$root/runs/quickstart}
  posts=44000 sft_rows=28800 pair_rows=5000 test_rows=500
  steps=()
fi

require_program
prepare_stages "$run" "seed $seed, smoke $smoke" "$ranks"

embedded_posts "$posts" "$sft_rows" "$pair_rows" "$test_rows"
embedded_sft

stage "Two samples of each post, to be compared" pairs_samples.jsonl \
  sample sft/model.h5 posts_pairs.jsonl pairs_samples.jsonl --sampling.n 2
stage "Simulated comparisons" comparisons.jsonl \
  "$PRECIS" label simulate --input "$run/posts_pairs.jsonl" --samples "$run/pairs_samples.jsonl" \
  --output "$run/comparisons.jsonl" --label.valid_share 0.2 --label.seed "$seed"

embedded_reward reward "$run/comparisons.jsonl"
embedded_ppo ppo reward "${steps[@]}"

stage "Summaries of held-out posts before PPO" test_sft.jsonl sample sft/model.h5 posts_test.jsonl test_sft.jsonl
stage "Summaries of held-out posts after PPO" test_ppo.jsonl sample ppo/policy.h5 posts_test.jsonl test_ppo.jsonl
stage "Their log-probs before PPO, for the KL" test_ppo_scores.jsonl \
  score sft/model.h5 test_ppo.jsonl test_ppo_scores.jsonl

say "The reward model on comparisons it was not trained on"
"$PRECIS" evaluate reward --model "$run/reward/model.h5" --input "$run/comparisons.jsonl" --split valid1 \
  --json "$run/agreement.json" | grep -E '^( |all|policies)'

say "What was learned"
"$PRECIS" evaluate table --input "$run/posts_test.jsonl" --samples "$run/test_sft.jsonl,$run/test_ppo.jsonl" \
  --names SFT,PPO --scores "$run/test_ppo_scores.jsonl" --json "$run/table.json" | tee "$run/table.txt"

cat <<END

All of it is in $run ($((SECONDS - started)) s this time):
  sft/model.h5 reward/model.h5 ppo/policy.h5   the models
  {sft,reward,ppo}/metrics.jsonl               each step's numbers
  comparisons.jsonl                            what the simulated labeler chose
  test_sft.jsonl test_ppo.jsonl                the summaries of the held-out posts
  table.txt table.json agreement.json          the tables above
END
