#!/usr/bin/env bash
# Rounds of human feedback on the embedded data set, as the paper went about it: in each round the newest
# policy writes summaries of new posts, labelers compare them, a reward model is trained on all comparisons
# so far, and PPO starts anew from the supervised model against it. At the end, a table of the rounds.
# Stages that are done are not done again.
# usage: scripts/iterate.sh [--smoke] [--rounds N] [--pairs N] [--run DIR] [--seed N] [--ranks N]
#   --smoke   the same in a minute or two, with models that have learned next to nothing
#   --rounds  how many rounds, at most 8 (default 2); the same run can go on with more
#   --pairs   comparisons in each round (default 2500, with --smoke 200)
#   --run     folder for everything that is made (default runs/iterate or runs/iterate_smoke)
#   --seed    from which all random numbers follow (default 1)
#   --ranks   MPI ranks of PPO, at least 3 (default 4)
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"
. "$root/scripts/embedded.sh"

smoke=no rounds=2 pairs='' seed=1 ranks=4 run=
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) smoke=yes; shift ;;
    --rounds) rounds=$(value_of "a number" "$@"); shift 2 ;;
    --pairs) pairs=$(value_of "a number" "$@"); shift 2 ;;
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    --ranks) ranks=$(value_of "a number" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of iterate.sh." ;;
  esac
done
[ "$ranks" -ge 3 ] || wrong_use "--ranks is $ranks; expected at least 3: rollout, reward and learner."
[[ $rounds -ge 1 && $rounds -le 8 ]] || wrong_use "--rounds is $rounds; expected 1 to 8."

if [ "$smoke" = yes ]; then
  run=${run:-$root/runs/iterate_smoke} pairs=${pairs:-200}
  sft_rows=1280 ppo_rows=120 fact_rows=200 valid_rows=50 test_rows=50
  steps=(--train.steps 3 --ppo.batch 32)
else
  run=${run:-$root/runs/iterate} pairs=${pairs:-2500}
  sft_rows=28800 ppo_rows=5800 fact_rows=16000 valid_rows=500 test_rows=2000
  steps=()
fi
[ "$pairs" -ge 10 ] || wrong_use "--pairs is $pairs; expected at least 10."

require_program
prepare_stages "$run" "iterate, seed $seed, smoke $smoke, pairs $pairs" "$ranks"
# Posts for 8 rounds, so that a run can go on with more.
embedded_posts "$sft_rows" "$ppo_rows" "$fact_rows" $((8 * pairs)) "$valid_rows" "$test_rows"
embedded_sft
embedded_facts
stage "Summaries of held-out posts before PPO" test_sft.jsonl sample 1 sft/model.h5 posts_test.jsonl test_sft.jsonl

all=  # the comparisons of all rounds so far, with commas between
samples=test_sft.jsonl names=SFT scores=
for ((round = 1; round <= rounds; ++round)); do
  folder=round_$round
  mkdir -p "$run/$folder"
  rows $(((round - 1) * pairs + 1)) "$pairs" "$run/posts_pairs.jsonl" "$folder/posts.jsonl"
  stage "Round $round: samples of the supervised model" "$folder/samples_sft.jsonl" \
    sample 1 sft/model.h5 "$folder/posts.jsonl" "$folder/samples_sft.jsonl" --sampling.n 2
  shown=$run/$folder/samples_sft.jsonl policies=sft
  if [ "$round" -gt 1 ]; then
    last=round_$((round - 1))
    stage "Round $round: samples of the newest policy" "$folder/samples_ppo.jsonl" \
      sample 1 "$last/ppo/policy.h5" "$folder/posts.jsonl" "$folder/samples_ppo.jsonl" --sampling.n 2
    shown+=,$run/$folder/samples_ppo.jsonl policies+=,ppo-$((round - 1))
  fi
  stage "Round $round: simulated comparisons" "$folder/comparisons.jsonl" \
    "$PRECIS" label simulate --input "$run/$folder/posts.jsonl" --samples "$shown" \
    --label.policies "$policies" --output "$run/$folder/comparisons.jsonl" --label.batch "round-$round" \
    --label.valid_share 0.2 --label.seed $((seed + 1000 * (round - 1)))
  all+=${all:+,}$run/$folder/comparisons.jsonl
  embedded_reward "$folder/reward" reward_facts "$all,$run/facts_again.jsonl"
  embedded_ppo "$folder/ppo" "$folder/reward" "${steps[@]}"
  stage "Round $round: summaries of held-out posts" "$folder/test.jsonl" \
    sample 1 "$folder/ppo/policy.h5" posts_test.jsonl "$folder/test.jsonl"
  stage "Round $round: their log-probs under the supervised model, for the KL" "$folder/test_scores.jsonl" \
    score sft/model.h5 "$folder/test.jsonl" "$folder/test_scores.jsonl"
  samples+=,$run/$folder/test.jsonl names+=,round-$round
  scores+=${scores:+,}$run/$folder/test_scores.jsonl
done

for ((round = 1; round <= rounds; ++round)); do
  say "The reward model of round $round on comparisons of all rounds that no reward model was trained on"
  "$PRECIS" evaluate reward --model "$run/round_$round/reward/model.h5" --input "$all" --split valid1 \
    --json "$run/round_$round/agreement.json" | grep -E '^( |all|policies|batch)'
done

say "What was learned"
"$PRECIS" evaluate table --input "$run/posts_test.jsonl" --samples "$run/$samples" --names "$names" \
  --scores "$scores" --temperature 1 --json "$run/table.json" | tee "$run/table.txt"

cat <<END

All of it is in $run ($((SECONDS - started)) s this time):
  round_1 ... round_$rounds: comparisons.jsonl, reward/, ppo/, test.jsonl of each round
  table.txt table.json     the table above
END
smoke_says
