# The stages of the loop on the embedded data set; sourced after stages.sh, with the settings of a run in
# run, seed and cores.

# embedded_posts POSTS SFT PAIRS TEST: RUN/posts_*.jsonl, cut from POSTS synthesized ones: SFT to fine-tune
# on, PAIRS to compare summaries of, what is left for PPO, TEST each to validate and to test on. No stage
# has posts that one before it has seen.
embedded_posts() {
  stage "Posts with reference summaries" data/test.jsonl \
    "$PRECIS" synthesize --output "$run/data" --posts "$1" --seed "$seed"
  rows 1 "$2" "$run/data/train.jsonl" posts_sft.jsonl
  rows $(($2 + 1)) "$3" "$run/data/train.jsonl" posts_pairs.jsonl
  rows $(($2 + $3 + 1)) "$1" "$run/data/train.jsonl" posts_ppo.jsonl
  rows 1 "$4" "$run/data/valid.jsonl" posts_valid.jsonl
  rows 1 "$4" "$run/data/test.jsonl" posts_test.jsonl
}

# RUN/tokenizer.json and RUN/sft/model.h5.
embedded_sft() {
  stage "Tokenizer" tokenizer.json \
    "$PRECIS" tokenizer --input "$run/posts_sft.jsonl" --vocab 1024 --output "$run/tokenizer.json"
  stage "Supervised fine-tuning on $cores ranks" sft/model.h5 \
    on_ranks "$cores" sft "$root/inputs/quickstart_sft.cfg" --tokenizer "$run/tokenizer.json" \
    --data.train "$run/posts_sft.jsonl" --data.valid "$run/posts_valid.jsonl" --run "$run/sft"
}

# embedded_reward FOLDER COMPARISONS [KEYS]: RUN/FOLDER/model.h5 from the splits train and valid1.
embedded_reward() {
  stage "Reward model on $cores ranks" "$1/model.h5" \
    on_ranks "$cores" reward "$root/inputs/quickstart_reward.cfg" --model "$run/sft/model.h5" \
    --data.train "$2" --data.valid "$2" --run "$run/$1" "${@:3}"
}

# embedded_ppo FOLDER REWARD [KEYS]: RUN/FOLDER/policy.h5 against the reward model RUN/REWARD/model.h5.
embedded_ppo() {
  stage "PPO on $ranks ranks: rollout, reward and learner, each on its own" "$1/policy.h5" \
    on_ranks "$ranks" ppo "$root/inputs/quickstart_ppo.cfg" --placement dedicated \
    --policy "$run/sft/model.h5" --reward "$run/$2/model.h5" --data.prompts "$run/posts_ppo.jsonl" \
    --data.valid "$run/posts_valid.jsonl" --run "$run/$1" "${@:3}"
}

# sample MODEL POSTS OUTPUT [KEYS]: summaries at temperature 1, all names below RUN.
sample() {
  on_ranks "$cores" sample --model "$run/$1" --input "$run/$2" --output "$run/$3" \
    --sampling.temperature 1 --sampling.max_new_tokens 40 "${@:4}"
}

# score MODEL SAMPLES OUTPUT: log-probs or rewards of summaries, all names below RUN.
score() {
  "$PRECIS" score --model "$run/$1" --input "$run/$2" --output "$run/$3"
}
