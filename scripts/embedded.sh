# shellcheck shell=bash disable=SC2154  # the script that sources this one has set run, seed, cores, ranks and root
# The stages of the loop on the embedded data set; sourced after stages.sh, with the settings of a run in
# run, seed and cores.

# embedded_posts SFT PPO FACTS PAIRS VALID TEST: RUN/posts_*.jsonl with so many posts: to fine-tune on, to
# practise on by PPO, to change facts in and to compare summaries of, to validate and to test on. No stage
# has posts that another one has seen.
embedded_posts() {
  local train=$(($1 + $2 + $3 + $4)) held_out=$(($5 > $6 ? $5 : $6)) posts
  posts=$((train * 10 / 9 > held_out * 20 ? train * 10 / 9 : held_out * 20))  # 90% are to train, 5% and 5% held out
  stage "Posts with reference summaries" data/test.jsonl \
    "$PRECIS" synthesize --output "$run/data" --posts $((posts + 40)) --seed "$seed"
  rows 1 "$1" "$run/data/train.jsonl" posts_sft.jsonl
  rows $(($1 + 1)) "$2" "$run/data/train.jsonl" posts_ppo.jsonl
  rows $(($1 + $2 + 1)) "$3" "$run/data/train.jsonl" posts_facts.jsonl
  rows $(($1 + $2 + $3 + 1)) "$4" "$run/data/train.jsonl" posts_pairs.jsonl
  rows 1 "$5" "$run/data/valid.jsonl" posts_valid.jsonl
  rows 1 "$6" "$run/data/test.jsonl" posts_test.jsonl
}

# RUN/tokenizer.json and RUN/sft/model.h5.
embedded_sft() {
  stage "Tokenizer" tokenizer.json \
    "$PRECIS" tokenizer --input "$run/posts_sft.jsonl" --vocab 1024 --output "$run/tokenizer.json"
  stage "Supervised fine-tuning on $cores ranks" sft/model.h5 \
    on_ranks "$cores" sft "$root/inputs/quickstart_sft.cfg" --tokenizer "$run/tokenizer.json" \
    --data.train "$run/posts_sft.jsonl" --data.valid "$run/posts_valid.jsonl" --run "$run/sft"
}

# RUN/reward_facts/model.h5: from pairs of which one summary has one fact changed, so that it is known
# which one is right. From comparisons of samples alone a model this small never learns to look facts up;
# from these it does, and keeps it when it goes on with samples, as long as some of these are among them.
# Those are RUN/facts_again.jsonl.
embedded_facts() {
  local pairs
  pairs=$(wc -l < "$run/posts_facts.jsonl")
  stage "Comparisons that differ in one wrong fact" facts.jsonl \
    "$PRECIS" label simulate --input "$run/posts_facts.jsonl" --output "$run/facts.jsonl" \
    --label.contrast_share 1 --label.temperature 0 --label.valid_share 0.02 --label.seed "$seed"
  rows 1 $((pairs / 4)) "$run/facts.jsonl" facts_again.jsonl
  embedded_reward reward_facts sft "$run/facts.jsonl" --train.valid_every 500
}

# embedded_reward FOLDER START COMPARISONS [KEYS]: RUN/FOLDER/model.h5 from the model in RUN/START and the
# comparisons' splits train and valid1. What a reward model has learned it keeps at a lower rate than that at
# which a language model becomes one.
embedded_reward() {
  local rate=()
  [ "$2" != sft ] || rate=(--train.batch 4 --train.learning_rate 6e-4)
  stage "Reward model on $cores ranks" "$1/model.h5" \
    on_ranks "$cores" reward "$root/inputs/quickstart_reward.cfg" --model "$run/$2/model.h5" \
    --data.train "$3" --data.valid "$3" --run "$run/$1" "${rate[@]}" "${@:4}"
}

# embedded_ppo FOLDER REWARD [KEYS]: RUN/FOLDER/policy.h5 against the reward model RUN/REWARD/model.h5.
embedded_ppo() {
  stage "PPO on $ranks ranks: rollout, reward and learner, each on its own" "$1/policy.h5" \
    on_ranks "$ranks" ppo "$root/inputs/quickstart_ppo.cfg" --placement dedicated \
    --policy "$run/sft/model.h5" --reward "$run/$2/model.h5" --data.prompts "$run/posts_ppo.jsonl" \
    --data.valid "$run/posts_valid.jsonl" --run "$run/$1" "${@:3}"
}

# sample TEMPERATURE MODEL POSTS OUTPUT [KEYS]: summaries, all names below RUN.
sample() {
  on_ranks "$cores" sample --model "$run/$2" --input "$run/$3" --output "$run/$4" \
    --sampling.temperature "$1" --sampling.max_new_tokens 40 "${@:5}"
}

# score MODEL SAMPLES OUTPUT: log-probs or rewards of summaries, all names below RUN.
score() {
  "$PRECIS" score --model "$run/$1" --input "$run/$2" --output "$run/$3"
}
