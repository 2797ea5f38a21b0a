#!/usr/bin/env bash
# The memory that control groups allow, from made files as the kernel writes them.
. "$(cd "$(dirname "$0")/../.." && pwd)/scripts/common.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# write PATH TEXT: a file of the made system.
write() {
  mkdir -p "$(dirname "$folder/$1")"
  printf '%s\n' "$2" > "$folder/$1"
}
# expect LIMIT: what is found now.
expect() {
  local found
  found=$(memory_limit "$folder/groups" "$folder/mount")
  [ "$found" = "$1" ] || fail "The limit is '$found', expected '$1'."
}

write groups 0::/job/step
expect ''
write mount/job/step/memory.max max
expect ''
write mount/job/memory.max 9000000000
expect 9000000000
write mount/job/step/memory.high 800000000
expect 800000000
write mount/memory.max 70000000
expect 70000000

write groups $'12:cpu,cpuacct:/other\n4:hugetlb,memory:/job\n1:name=systemd:/job'
expect ''
write mount/memory/memory.limit_in_bytes 9223372036854771712
expect 9223372036854771712
write mount/memory/job/memory.limit_in_bytes 8000000000
expect 8000000000

memory_limit > /dev/null
