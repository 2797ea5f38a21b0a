#!/usr/bin/env bash
# Every shell script, whatever its name, is clean under `shellcheck -x`.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v shellcheck > /dev/null; then
  echo "shellcheck is missing (scripts/install.sh installs it), so the scripts were not checked."
  exit 77
fi
readarray -d '' files < <(find .ci jobs scripts tests -type f -print0)
scripts=()
for file in "${files[@]}"; do
  first=
  IFS= read -r -n 40 first < "$file" 2> /dev/null || true
  if [[ $file == *.sh || $first =~ ^#!.*[/\ ](ba)?sh$ ]]; then
    scripts+=("$file")
  fi
done
# A script of each kind: called by its name, sourced, a job, and without an ending.
for known in scripts/quickstart.sh scripts/common.sh jobs/ppo.sbatch .ci/run tests/scripts/shellcheck_test.sh; do
  [[ " ${scripts[*]} " == *" $known "* ]] || { echo "$known was not found among the scripts" >&2; exit 1; }
done
shellcheck -x "${scripts[@]}"
echo "${#scripts[@]} scripts are clean."
