#!/usr/bin/env bash
# scripts/install.sh with the system's commands replaced: what it would do as root, with sudo, without
# either, and where everything is there.
set -euo pipefail
install=$(cd "$(dirname "$0")/../.." && pwd)/scripts/install.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
calls=$folder/calls

# command NAME BODY: a program that is found before the system's.
command_is() {
  printf '#!/bin/sh\n%s\n' "$2" > "$folder/$1"
  chmod +x "$folder/$1"
}
expect() {
  if ! "$@"; then
    echo "expected: $*" >&2
    cat "$folder/output" >&2
    exit 1
  fi
}
run() {
  : > "$calls"
  status=0
  PATH=$folder:$PATH "$install" > "$folder/output" 2>&1 < /dev/null || status=$?
}

command_is apt-get "echo \"apt-get \$*\" >> $calls"

# Two packages are missing, and this is root.
# shellcheck disable=SC2016  # for the command's own shell
command_is dpkg-query 'case $4 in libfmt-dev|ninja-build) exit 1 ;; esac; printf installed'
command_is id 'echo 0'
run
expect [ "$status" = 0 ]
expect [ "$(wc -l < "$calls")" = 2 ]
expect grep -q 'update$' "$calls"
expect grep -q 'install -y --no-install-recommends ninja-build libfmt-dev$' "$calls"

# The same with sudo.
command_is id 'echo 1000'
command_is sudo "[ \"\$1\" = -n ] && exit 0; echo sudo >> $calls; exec \"\$@\""
run
expect [ "$status" = 0 ]
expect [ "$(grep -c sudo "$calls")" = 2 ]
expect grep -q 'install -y --no-install-recommends ninja-build libfmt-dev$' "$calls"

# Neither: one line to run, and nothing is done.
command_is sudo 'exit 1'
run
expect [ "$status" = 1 ]
expect [ ! -s "$calls" ]
expect grep -q 'apt-get update && apt-get install -y --no-install-recommends ninja-build libfmt-dev$' "$folder/output"

# Removed, but its settings are still there: missing as well.
# shellcheck disable=SC2016  # for the command's own shell
command_is dpkg-query 'case $4 in libfmt-dev) printf config-files ;; *) printf installed ;; esac'
run
expect [ "$status" = 1 ]
expect grep -q -- '--no-install-recommends libfmt-dev$' "$folder/output"

# Everything is there: nothing is done, and nobody's rights are needed.
command_is dpkg-query 'printf installed'
run
expect [ "$status" = 0 ]
expect [ ! -s "$calls" ]
