#!/usr/bin/env bash
# Checks precis on a machine with one GPU, in some minutes: the kernels' tests, the device beside the CPU
# (log-probs, training steps, samples), sft, reward and ppo on the embedded data set, a run that is cut
# and continued, and precis bench. Goes on after a failure; status 1 if there was one.
# usage: scripts/gpu_check.sh [--build FOLDER] [--device NAME] [--smoke] OUT
#   --build   the build to check (default: the bundle that this script is in, or build/)
#   --device  cuda (default); with cpu, and --smoke, the script itself is tried on a machine without a GPU
#   --smoke   everything small, for the benchmarks too
#   OUT       a new folder for everything that is made; OUT/gpu_check.json holds the results
. "$(dirname "$0")/common.sh"

device=cuda smoke=no build='' out=
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$(value_of "a folder" "$@"); shift 2 ;;
    --device) device=$(value_of "a name" "$@"); shift 2 ;;
    --smoke) smoke=yes; shift ;;
    -*) wrong_use "$1 is not an argument of gpu_check.sh." ;;
    *) [ -z "$out" ] || wrong_use "$1 is one folder too many."; out=$1; shift ;;
  esac
done
[ -n "$out" ] || wrong_use "OUT is missing."
[[ $device == cuda || $device == cpu ]] || wrong_use "--device is '$device', expected cuda or cpu."
[ ! -e "$out" ] || fail "$out exists; give a folder that is new."
if [ -z "$build" ] && [ -x "$root/bin/precis" ]; then
  precis=$root/bin/precis gpu_tests=$root/bin/gpu_tests
else
  precis=${build:=$root/build}/bin/precis gpu_tests=$build/tests/gpu_tests
fi
[ -x "$precis" ] || fail "$precis is missing: scripts/build.sh makes it, or name a build with --build."
# Links stay links: by its name a bundle's program knows what it is to start.
precis=$(realpath --no-symlinks "$precis") gpu_tests=$(realpath --no-symlinks --canonicalize-missing "$gpu_tests")
mkdir -p "$out"
out=$(cd "$out" && pwd)
mpi_environment 1

if [ "$smoke" = yes ]; then
  posts=1000 sft_steps=30 pair_rows=60 prompt_rows=20 reward_steps=3 ppo_steps=3 ppo_batch=8 repeats=2
else
  posts=8000 sft_steps=400 pair_rows=500 prompt_rows=200 reward_steps=15 ppo_steps=8 ppo_batch=64 repeats=5
fi
on_device=(--device "$device")
# Largest difference of a log-prob, and of a loss or a norm as a part of it, between two devices in f32.
tolerance=1e-3

# ---------------------------------------------------------------------------------------------------
# The steps. Each prints what it found as its last line, and fails like any command.

# field NAME FILE: a number of each row.
field() { sed -nE 's/.*"'"$1"'":(-?[0-9.eE+-]+).*/\1/p' "$2"; }
# list NAME FILE: an array of numbers of each row, as "1,2,3".
list() { sed -nE 's/.*"'"$1"'":\[([^]]*)\].*/\1/p' "$2"; }

tests() {
  "$gpu_tests" --gtest_brief=1 | tee "$out/gpu_tests.txt"
  ! grep -m 1 'no GPU can be used' "$out/gpu_tests.txt"
}

data() {
  "$precis" synthesize --output "$out/data" --posts "$posts" --seed 1
  "$precis" tokenizer --input "$out/data/train.jsonl" --vocab 1024 --output "$out/tokenizer.json"
  head -n "$pair_rows" "$out/data/valid.jsonl" > "$out/pairs.jsonl"
  head -n "$prompt_rows" "$out/data/test.jsonl" > "$out/prompts.jsonl"
}

sft() {
  "$precis" sft "$root/inputs/quickstart_sft.cfg" --tokenizer "$out/tokenizer.json" --data.train "$out/data/train.jsonl" \
    --data.valid "$out/prompts.jsonl" --train.steps "$sft_steps" --run "$out/sft" "${on_device[@]}"
  field loss "$out/sft/metrics.jsonl" | awk 'NR == 1 {first = $1} {last = $1}
    END {print "Loss at the first and the last step: " first ", " last; exit !(last < first)}'
}

# like_cpu COMMAND ...: the command with f32 on the device and on the CPU, into NAME.{device,cpu}, NAME being
# its last word.
like_cpu() {
  local name=${*: -1}
  "$precis" "${@:1:$#-1}" "$name.device" --precision f32 "${on_device[@]}"
  "$precis" "${@:1:$#-1}" "$name.cpu" --precision f32 --device cpu
}

# Equal up to near-ties: log-probs of the tokens that both devices drew agree; where greedy rows part, so do
# those of the two tokens; of rows drawn at temperature 1, whose ties the log-probs do not show, at most one in
# fifty parts.
sampling() {
  local temperature name
  for temperature in 0 1; do
    like_cpu sample --model "$out/sft/model.h5" --input "$out/prompts.jsonl" --sampling.temperature "$temperature" \
      --sampling.max_new_tokens 40 --output "$out/samples_$temperature.jsonl"
  done
  for temperature in 0 1; do
    name=$out/samples_$temperature.jsonl
    paste -d ' ' <(list response_ids "$name.device") <(list response_ids "$name.cpu") \
      <(list logprobs "$name.device") <(list logprobs "$name.cpu") |
      awk -v tolerance="$tolerance" -v temperature="$temperature" '
        {
          length_a = split($1, a, ","); length_b = split($2, b, ","); split($3, p, ","); split($4, q, ",")
          for (t = 1; t <= length_a && t <= length_b; ++t) {
            gap = p[t] - q[t] < 0 ? q[t] - p[t] : p[t] - q[t]
            if (a[t] != b[t]) {
              ++parted
              if (temperature > 0) break
            }
            if (gap > largest) largest = gap
            if (a[t] != b[t]) break
            ++tokens
          }
        }
        END {
          print "Temperature " temperature ": " NR " rows, " parted + 0 " parted; " tokens + 0 \
            " equal tokens; largest difference of a log-prob: " largest + 0
          exit !(NR > 0 && tokens > 0 && largest <= tolerance && (temperature == 0 || parted <= NR / 50 + 1))
        }'
  done
}

logprobs() {
  local name=$out/scores.jsonl
  like_cpu score --model "$out/sft/model.h5" --input "$out/samples_1.jsonl.cpu" --output "$name"
  paste -d ' ' <(list logprobs "$name.device") <(list logprobs "$name.cpu") | awk -v tolerance="$tolerance" '
    {
      count = split($1, p, ","); split($2, q, ",")
      for (t = 1; t <= count; ++t) {
        gap = p[t] - q[t] < 0 ? q[t] - p[t] : p[t] - q[t]
        if (gap > largest) largest = gap
        ++tokens
      }
    }
    END {
      print tokens + 0 " log-probs; largest difference: " largest + 0
      exit !(tokens > 0 && largest <= tolerance)
    }'
}

training_steps() {
  local name=$out/steps
  like_cpu sft --model "$out/sft/model.h5" --data.train "$out/data/train.jsonl" --data.filter false --train.batch 16 \
    --train.steps 3 --train.learning_rate 1e-4 --train.schedule constant --run "$name"
  paste -d ' ' <(field loss "$name.device/metrics.jsonl") <(field gradient_norm "$name.device/metrics.jsonl") \
    <(field loss "$name.cpu/metrics.jsonl") <(field gradient_norm "$name.cpu/metrics.jsonl") |
    awk -v tolerance="$tolerance" '
      function part(x, y) { return (x > y ? x - y : y - x) / y }
      { loss = part($1, $3) > loss ? part($1, $3) : loss; norm = part($2, $4) > norm ? part($2, $4) : norm }
      END {
        print NR " steps; largest relative difference of a loss: " loss + 0 ", of a gradient norm: " norm + 0
        exit !(NR == 3 && loss <= tolerance && norm <= tolerance)
      }'
}

reward() {
  "$precis" sample --model "$out/sft/model.h5" --input "$out/pairs.jsonl" --output "$out/pairs_samples.jsonl" \
    --sampling.temperature 1 --sampling.max_new_tokens 40 --sampling.n 2 "${on_device[@]}"
  "$precis" label simulate --input "$out/pairs.jsonl" --samples "$out/pairs_samples.jsonl" \
    --output "$out/comparisons.jsonl" --label.valid_share 0.2 --label.seed 1
  "$precis" reward "$root/inputs/quickstart_reward.cfg" --model "$out/sft/model.h5" --data.train "$out/comparisons.jsonl" \
    --data.valid "$out/comparisons.jsonl" --train.steps "$reward_steps" --run "$out/reward" "${on_device[@]}"
  echo "Validation accuracy: $(field valid_accuracy "$out/reward/metrics.jsonl" | tail -n 1)"
}

ppo_into() {
  "$precis" ppo "$root/inputs/quickstart_ppo.cfg" --policy "$out/sft/model.h5" --reward "$out/reward/model.h5" \
    --data.prompts "$out/data/train.jsonl" --train.steps "$ppo_steps" --ppo.batch "$ppo_batch" "${on_device[@]}" \
    --run "$@"
}

ppo() {
  ppo_into "$out/ppo"
  echo "Largest gap between the rollout's log-probs and the learner's: $(field logprob_gap_max "$out/ppo/metrics.jsonl" |
    awk '$1 > most {most = $1} END {print most + 0}')"
}

continued() {
  local status=0 file
  ppo_into "$out/ppo_cut" --train.stop_after 1 || status=$?
  [ "$status" = 75 ] || fail "The run that was to stop after a step ended with status $status, expected 75."
  ppo_into "$out/ppo_cut"
  for file in policy.h5 value.h5 "checkpoints/$(cat "$out/ppo/checkpoints/latest")"; do
    "$precis" inspect "$out/ppo/$file" --diff "$out/ppo_cut/$file"
  done
  echo "A run that was cut after a step and continued ends with the same bits."
}

shape_small=(--model.layers 2 --model.width 64 --model.heads 2 --bench.vocabulary 1000)
shape_1b=(--model.layers 16 --model.width 2048 --model.heads 32 --model.kv_heads 8 --model.mlp_width 8192
  --model.norm rms_norm --model.position rotary --model.activation gated_silu --model.attention_bias false
  --model.mlp_bias false --model.tied false)
# bench NAME COMMAND KEYS ...: into OUT/NAME.json.
bench() {
  "$precis" bench "$2" --json "$out/$1.json" --bench.repeats "$repeats" "${on_device[@]}" "${@:3}"
}

# ---------------------------------------------------------------------------------------------------

# text WORDS: as a JSON string.
text() { printf '"%s"' "$(tr -d '[:cntrl:]' <<< "$*" | sed 's/[\\"]/\\&/g')"; }

steps=() failed=0
record() { steps+=("{\"name\": $(text "$1"), \"status\": \"$2\", \"seconds\": $3, \"result\": $(text "$4")}"); }

# step NAME COMMAND ...: its output goes to OUT/NAME.log, the last line of that into the results.
step() {
  local name=$1 begun=$SECONDS status result
  shift
  printf '%-16s' "$name"
  set +e
  (set -e; "$@") > "$out/$name.log" 2>&1
  status=$?
  set -e
  result=$(tail -n 1 "$out/$name.log")
  result=${result//"$out/"/}
  if [ "$status" = 0 ]; then
    record "$name" passed $((SECONDS - begun)) "$result"
    printf 'passed  %4d s  %s\n' $((SECONDS - begun)) "$result"
  else
    record "$name" failed $((SECONDS - begun)) "$result"
    printf 'FAILED  %4d s  %s (%s)\n' $((SECONDS - begun)) "$result" "$out/$name.log"
    failed=$((failed + 1))
  fi
}
skip() {
  record "$1" skipped 0 "$2"
  printf '%-16sskipped         %s\n' "$1" "$2"
}

say "$("$precis" --version | head -n 1), device $device; everything is written to $out"
# Without the device nothing below has a sense.
bench device decode "${shape_small[@]}" --bench.sequences 1 > "$out/device.log" 2>&1 || fail "$(cat "$out/device.log")"
name=$(sed -nE 's/.*"device":"([^"]*)".*/\1/p' "$out/device.json")  # as "NVIDIA H200 (sm_90, 140 GiB)"
memory_gib=$(sed -nE 's/.* ([0-9]+) GiB.*/\1/p' <<< "$name")
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2> /dev/null | head -n 1 || true)

if [ "$device" = cuda ]; then
  step tests tests
else
  skip tests "the tests of the CUDA backend need a GPU"
fi
step data data
step sft sft
step sampling sampling
step logprobs logprobs
step training_steps training_steps
step reward reward
step ppo ppo
step continued continued

benches=(bench_kernels bench_train bench_decode)
if [ "$smoke" = yes ]; then
  step bench_kernels bench bench_kernels kernels "${shape_small[@]}"
  step bench_train bench bench_train train "${shape_small[@]}"
  step bench_decode bench bench_decode decode "${shape_small[@]}"
else
  decode_keys=(--bench.sequences '1,16,64,256' --bench.prompt_tokens 512 --bench.new_tokens 48)
  step bench_kernels bench bench_kernels kernels --bench.batch 16 --bench.length 1024 \
    --bench.sequences 1,16,64,256 --bench.prompt_tokens 512
  step bench_train bench bench_train train --bench.batch 16 --bench.length 1024 --train.micro_batch_tokens 16384
  step bench_decode bench bench_decode decode "${decode_keys[@]}"
  if [ "${memory_gib:-0}" -ge 40 ]; then
    benches+=(bench_train_1b bench_decode_1b)
    step bench_train_1b bench bench_train_1b train "${shape_1b[@]}" --bench.batch 8 --bench.length 1024
    step bench_decode_1b bench bench_decode_1b decode "${shape_1b[@]}" "${decode_keys[@]}"
  else
    skip bench_train_1b "a model of a billion parameters needs 40 GiB of device memory"
    skip bench_decode_1b "a model of a billion parameters needs 40 GiB of device memory"
  fi
fi

{
  printf '{\n"device": %s,\n"driver": %s,\n' "$(text "$name")" "$(text "$driver")"
  printf '"program": %s,\n"time": "%s",\n' "$(text "$("$precis" --version | paste -s -d ';')")" "$(date -u +%FT%TZ)"
  printf '"device_key": "%s",\n"smoke": %s,\n"failed": %d,\n"seconds": %d,\n' \
    "$device" "$([ "$smoke" = yes ] && echo true || echo false)" "$failed" "$SECONDS"
  printf '"steps": [\n%s\n]' "$(IFS=$'\n'; sed '$!s/$/,/' <<< "${steps[*]}")"
  for bench in "${benches[@]}"; do
    [ ! -s "$out/$bench.json" ] || printf ',\n"%s": %s' "$bench" "$(cat "$out/$bench.json")"
  done
  printf '\n}\n'
} > "$out/gpu_check.json"
say "$((${#steps[@]} - failed)) of ${#steps[@]} steps without a failure, in $SECONDS s; results in $out/gpu_check.json"
[ "$failed" = 0 ]
