#!/usr/bin/env bash
# The same loop on real TL;DR posts and comparisons with GPT-2's tokenizer: a small model from random
# weights, 20 steps of PPO, to see the whole at work on real text.
# usage: scripts/real_posts.sh DATA [--run DIR] [--seed N]
#   DATA    a folder (default $PRECIS_DATA) that holds
#             tldr/tldr_valid_1945.jsonl: posts, rows with subreddit, title, post and summary; the first 1,700 are
#               trained on, up to 245 more validate
#             preferences/tldr_comparisons_gpt4_1000.jsonl: rows with info, summaries, choice and split, which is
#               train or valid1
#             tokenizers/gpt2: the folder with GPT-2's tokenizer: tokenizer.json, or encoder.json and vocab.bpe
#           From the files that the README names: the first 1,945 lines of valid.jsonl, some hundred lines of
#           comparisons/batch*.json, and the folder gpt2.
#   --run   folder for everything that is made (default runs/real_posts)
#   --seed  from which all random numbers follow (default 1)
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"

data=${PRECIS_DATA-} run=$root/runs/real_posts seed=1
while [ $# -gt 0 ]; do
  case $1 in
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    -*) wrong_use "$1 is not an argument of real_posts.sh." ;;
    *) data=$1; shift ;;
  esac
done
[ -n "$data" ] || wrong_use "DATA is missing: a folder that holds tldr/tldr_valid_1945.jsonl,
preferences/tldr_comparisons_gpt4_1000.jsonl and tokenizers/gpt2."
posts=$data/tldr/tldr_valid_1945.jsonl
comparisons=$data/preferences/tldr_comparisons_gpt4_1000.jsonl
for file in "$posts" "$comparisons" "$data/tokenizers/gpt2"; do
  [ -e "$file" ] || fail "$file is missing; scripts/real_posts.sh --help says what DATA must hold."
done

require_program
prepare_stages "$run" "seed $seed, data $data" 4
rows 1 1700 "$posts" posts_sft.jsonl
rows 1701 245 "$posts" posts_valid.jsonl

stage "Supervised fine-tuning on $cores ranks" sft/model.h5 \
  on_ranks "$cores" sft "$root/inputs/tldr_small_sft.cfg" --tokenizer "$data/tokenizers/gpt2" \
  --data.train "$run/posts_sft.jsonl" --data.valid "$run/posts_valid.jsonl" --run "$run/sft"
stage "Reward model on $cores ranks" reward/model.h5 \
  on_ranks "$cores" reward "$root/inputs/tldr_small_reward.cfg" --model "$run/sft/model.h5" \
  --data.train "$comparisons" --data.valid "$comparisons" --run "$run/reward"
stage "PPO on 4 ranks: rollout, reward and learner, each on its own" ppo/policy.h5 \
  on_ranks 4 ppo "$root/inputs/tldr_small_ppo.cfg" --placement dedicated \
  --policy "$run/sft/model.h5" --reward "$run/reward/model.h5" --data.prompts "$run/posts_sft.jsonl" \
  --data.valid "$run/posts_valid.jsonl" --run "$run/ppo"
stage "Summaries of held-out posts" valid_ppo.jsonl \
  on_ranks "$cores" sample --model "$run/ppo/policy.h5" --input "$run/posts_valid.jsonl" \
  --output "$run/valid_ppo.jsonl"

say "The reward model on the comparisons of split valid1"
"$PRECIS" evaluate reward --model "$run/reward/model.h5" --input "$comparisons" --split valid1 \
  --json "$run/agreement.json"

say "Losses, first and last step"
for part in sft reward ppo; do
  echo "$part"
  sed -n '1p;$p' "$run/$part/metrics.jsonl"
done
echo
echo "All of it is in $run ($((SECONDS - started)) s this time)."
