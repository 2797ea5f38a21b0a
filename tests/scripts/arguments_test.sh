#!/usr/bin/env bash
# Arguments of the scripts: --help says what a script does and changes nothing, a wrong one is named.
set -euo pipefail
scripts=$(cd "$(dirname "$0")/../.." && pwd)/scripts
export PRECIS=/bin/false
unset PRECIS_DATA
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# expect STATUS TEXT SCRIPT ARGUMENT ...: how the script ends, and what it says.
expect() {
  local wanted=$1 text=$2 script=$3 status=0
  shift 3
  "$scripts/$script.sh" "$@" > "$folder/output" 2>&1 || status=$?
  if [ "$status" != "$wanted" ] || ! grep -q -e "$text" "$folder/output"; then
    echo "$script.sh $*: status $status, expected $wanted and '$text'" >&2
    cat "$folder/output" >&2
    exit 1
  fi
}

for script in build bundle check_fresh format gpu_check install iterate overoptimize quickstart real_posts reward_scaling test; do
  expect 0 "^usage: scripts/$script.sh " "$script" --help
  expect 2 '^--nonsense is not an argument' "$script" --nonsense
  while read -r flag; do
    expect 0 "^  $flag " "$script" -h
  done < <(sed -n "s/^# usage: //p" "$scripts/$script.sh" | grep -o -e '--[a-z]*')
done
expect 0 '^usage: scripts/launch.sh ' launch --help
expect 2 "^N is '--nonsense', expected a number" launch --nonsense
expect 2 "^N is '', expected a number" launch
expect 2 '^COMMAND is missing' launch 2
expect 2 '^--preset needs a name' build --preset
expect 2 '^--seed needs a number' quickstart --seed
expect 2 '^--seed needs a number' quickstart --seed --smoke
expect 2 "^--seed is 'x', expected a whole number" quickstart --seed x
expect 2 '^--ranks is 2; expected at least 3' quickstart --ranks 2
expect 2 '^OUT is missing' gpu_check
expect 2 "^--device is 'tpu', expected cuda or cpu" gpu_check --device tpu "$folder/new"
expect 1 "exists; give a folder that is new" gpu_check "$folder"
expect 1 '/nowhere/bin/precis is missing' gpu_check --build /nowhere "$folder/new"
expect 2 '^DATA is missing' real_posts
expect 2 '^--train is missing' reward_scaling --model "$folder"
expect 2 "^--sizes has 'x'" reward_scaling --model m --train t --sizes "10 x"
expect 1 '^m is missing' reward_scaling --model m --train t
expect 1 'tldr_valid_1945.jsonl is missing' real_posts "$folder"
