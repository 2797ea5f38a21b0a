#!/usr/bin/env bash
# Runs the README's two commands, each in a Debian 12 of its own that has nothing installed.
# Needs root and debootstrap; takes this machine's apt mirror and proxy settings along. The committed
# state is what is tested.
# usage: scripts/check_fresh.sh [--smoke] [--keep] [--folder DIR]
#   --smoke   quickstart.sh --smoke instead of the whole
#   --keep    leaves the folder for a look around
#   --folder  where the roots are made, about 3 GB (default: a new folder under TMPDIR)
. "$(dirname "$0")/common.sh"

quickstart=(scripts/quickstart.sh) keep=no folder=
arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) quickstart+=(--smoke); shift ;;
    --keep) keep=yes; shift ;;
    --folder) folder=$(value_of "a folder" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of check_fresh.sh." ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "check_fresh.sh makes root file systems, so it must run as root."
command -v debootstrap > /dev/null || fail "debootstrap is missing: apt-get install -y debootstrap"

# What is mounted below stays in a mount namespace of its own and goes with it.
if [ -z "${PRECIS_FRESH_NAMESPACE-}" ]; then
  exec env PRECIS_FRESH_NAMESPACE=1 unshare --mount --propagation private "$0" ${arguments[@]+"${arguments[@]}"}
fi

[ -n "$folder" ] || folder=$(mktemp -d "${TMPDIR:-/tmp}/precis-fresh.XXXXXX")
mkdir -p "$folder"
clean() {
  for place in "$folder"/*/{dev/shm,dev,proc,sys}; do
    umount "$place" 2> /dev/null || true
  done
  [ "$keep" = yes ] || rm -rf --one-file-system "$folder"
}
trap clean EXIT

mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2> /dev/null \
  | grep -v snapshot | head -n 1 | tr -d ' ' || true)
say "A bare Debian 12 in $folder"
debootstrap --variant=minbase bookworm "$folder/base" ${mirror:+"$mirror"} > "$folder/debootstrap.log" \
  || fail "debootstrap failed; its messages are in $folder/debootstrap.log."
{ grep -lZE 'Proxy|Check-(Date|Valid)' /etc/apt/apt.conf /etc/apt/apt.conf.d/* 2> /dev/null || true; } \
  | xargs -0r cp --target-directory="$folder/base/etc/apt/apt.conf.d/"
cp /etc/resolv.conf /etc/hosts "$folder/base/etc/"

# in_root NAME COMMAND ...: in a fresh copy of the bare system with a clone of the repository.
in_root() {
  local new=$folder/$1
  shift
  if [ ! -d "$new" ]; then
    cp -a "$folder/base" "$new"
    git clone --quiet "$root" "$new/precis"
    mount -t proc proc "$new/proc"
    mount -t sysfs sysfs "$new/sys"
    mount --bind /dev "$new/dev"
    mount -t tmpfs tmpfs "$new/dev/shm"
  fi
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C HOME=/tmp \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    chroot "${as[@]}" "$new" sh -c 'cd /precis && exec "$@"' sh "$@"
}

say "Without root and sudo: the line that is missing, and status 1"
as=(--userspec=nobody:nogroup)
if in_root quickstart "${quickstart[@]}"; then
  fail "quickstart.sh went on although nothing could be installed."
fi
as=()
say "${quickstart[*]}, as root"
begun=$SECONDS
in_root quickstart "${quickstart[@]}"
echo "-- $((SECONDS - begun)) s"
say "scripts/test.sh, as root"
begun=$SECONDS
in_root tests scripts/test.sh
echo "-- $((SECONDS - begun)) s"
say "Both commands work on a bare Debian 12."
