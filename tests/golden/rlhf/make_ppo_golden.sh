#!/bin/sh
# Makes the case of ppo_golden_test anew: small models, the responses of a run of each deck here, and
# what PyTorch computes from them (recompute_ppo.py, which also compares).
#   make_ppo_golden.sh BUILD_FOLDER PYTHON
set -eu
build=$1
python=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/tests/run/make_models" "$work/models" 16
for file in policy.h5 reference.h5 reward.h5 prompts.jsonl; do
  cp "$work/models/$file" "$here/"
done
for deck in plain variant; do
  "$build/bin/precis" ppo "$here/$deck.cfg" --policy "$here/policy.h5" \
    --reference "$here/reference.h5" --reward "$here/reward.h5" \
    --data.prompts "$here/prompts.jsonl" --run "$work/$deck"
  "$python" "$here/recompute_ppo.py" "$work/$deck" --tolerance 2e-5 \
    --expected "$here/$deck.expected.json"
  "$python" - "$work/$deck/episodes.jsonl" "$here/$deck.episodes.jsonl" <<'PYTHON'
import json, sys
fields = ("step", "episode", "prompt_id", "prompt_ids", "response_ids", "finish", "rollout_logprobs")
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
    for line in source:
        row = json.loads(line)
        print(json.dumps({field: row[field] for field in fields}), file=target)
PYTHON
done
