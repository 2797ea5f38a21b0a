#!/usr/bin/env bash
# How a reward model's accuracy grows with the number of comparisons: trains one model for each size
# and evaluates all of them on the same held-out comparisons. Models that are done are not trained again.
# usage: scripts/reward_scaling.sh --model SFT --train FILE [--valid FILE] [--sizes NUMBERS] [--run DIR] [--seed N] [--ranks N] [KEYS]
#   --model  the language model that each reward model starts from
#   --train  comparisons; the first N of split train (all, if --valid is another file) are trained on
#   --valid  comparisons to evaluate on (default: those of split valid1 in the training file)
#   --sizes  how many comparisons, with blanks between (default "250 500 1000 2000 4000")
#   --run    folder for everything that is made (default runs/reward_scaling)
#   --seed   from which all random numbers follow (default 1)
#   --ranks  MPI ranks of a training (default: one a core)
#   KEYS     a deck and more keys of `precis reward`, such as inputs/quickstart_reward.cfg --train.epochs 2;
#            data.train, data.valid, their splits, data.limit and train.keep are the script's
# With PRECIS set to a program, nothing is installed or built, and that program runs.
. "$(dirname "$0")/common.sh"
. "$root/scripts/stages.sh"

model='' train='' valid='' sizes="250 500 1000 2000 4000" run=$root/runs/reward_scaling seed=1 ranks=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --model) model=$(value_of "a model" "$@"); shift 2 ;;
    --train) train=$(value_of "a file" "$@"); shift 2 ;;
    --valid) valid=$(value_of "a file" "$@"); shift 2 ;;
    --sizes) sizes=$(value_of "numbers" "$@"); shift 2 ;;
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --seed) seed=$(value_of "a number" "$@"); shift 2 ;;
    --ranks) ranks=$(value_of "a number" "$@"); shift 2 ;;
    *.cfg | --*.*) break ;;
    *) wrong_use "$1 is not an argument of reward_scaling.sh." ;;
  esac
done
[ -n "$model" ] || wrong_use "--model is missing: the language model to start from."
[ -n "$train" ] || wrong_use "--train is missing: the comparisons."
for size in $sizes; do
  [[ $size =~ ^[1-9][0-9]*$ ]] || wrong_use "--sizes has '$size', expected numbers with blanks between."
done
for file in "$model" "$train" ${valid:+"$valid"}; do
  [ -e "$file" ] || fail "$file is missing."
done
train_split='' valid_split=
if [ -z "$valid" ]; then
  valid=$train train_split=train valid_split=valid1
fi

require_program
prepare_stages "$run" "model $model, train $train, valid $valid, seed $seed, keys $*" "$ranks"

# key NAME DECK: what a run was given.
key() { sed -n "s/^$1 = //p" "$2"; }

for size in $sizes; do
  stage "Reward model of $size comparisons on $ranks ranks" "$size/model.h5" \
    on_ranks "$ranks" reward "$@" --model "$model" --data.train "$train" --data.train_split "$train_split" \
    --data.valid= --data.valid_split= --data.limit "$size" --train.keep last --run "$run/$size"
  deck=$run/$size/deck.cfg
  stage "Its accuracy" "$size.json" \
    "$PRECIS" evaluate reward --model "$run/$size/model.h5" --input "$valid" --split "$valid_split" \
    --data.max_query_tokens "$(key max_query_tokens "$deck")" --data.template "$(key template "$deck")" \
    --json "$run/$size.json"
done

say "Accuracy on held-out comparisons by the number trained on, with intervals of 95%"
for size in $sizes; do
  trained=$(sed -n 's/.* Training comparisons.* read, \([0-9,]*\) kept.*/\1/p' "$run/$size/log.txt" | tail -n 1)
  printf '%s %s %s %s %s %s\n' "$size" "${trained:-?}" "$(number pairs "$run/$size.json")" \
    "$(number accuracy "$run/$size.json")" "$(number accuracy_low "$run/$size.json")" \
    "$(number accuracy_high "$run/$size.json")"
done | awk '
  BEGIN { printf "%10s %10s %12s %24s\n", "asked for", "trained on", "evaluated on", "accuracy" }
  { printf "%10s %10s %12s %8.3f (%.3f to %.3f)\n", $1, $2, $3, $4, $5, $6 }' | tee "$run/scaling.txt"
echo
echo "All of it is in $run ($((SECONDS - started)) s this time)."
