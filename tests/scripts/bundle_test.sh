#!/usr/bin/env bash
# scripts/bundle.sh: its folder runs in a root file system that has the C library, a shell and little else.
# usage: bundle_test.sh BUILD FOLDER    status 77: skipped, for it must be root
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 folder=$2
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2> /dev/null; then
  echo "Skipped: only root makes root file systems." >&2
  exit 77
fi

fail() {
  echo "$*" >&2
  exit 1
}

# What is mounted below stays in a mount namespace of its own and goes with it.
if [ -z "${PRECIS_BUNDLE_NAMESPACE-}" ]; then
  exec env PRECIS_BUNDLE_NAMESPACE=1 unshare --mount --propagation private "$0" "$@"
fi

rm -rf --one-file-system "$folder"
bare=$folder/root
mkdir -p "$bare"/{bin,proc,dev/shm,tmp,opt,etc}
tools=(sh readlink dirname basename)
for tool in "${tools[@]}"; do
  cp -L "$(command -v "$tool")" "$bare/bin/"
done
# The C library's parts, wherever this machine keeps them.
for library in $(ldd "$(command -v sh)" "$build/bin/precis" | grep -oE '/\S*/(ld-linux|lib(c|m|dl|rt|pthread|util|resolv)\.so)\S*' | sort -u); do
  mkdir -p "$bare$(dirname "$library")"
  cp -L "$library" "$bare$library"
done
mount -t proc proc "$bare/proc"
mount -t tmpfs tmpfs "$bare/dev/shm"
mknod -m 666 "$bare/dev/null" c 1 3

in_root() {
  env -i PATH=/bin HOME=/tmp OMP_NUM_THREADS=1 \
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 \
    OMPI_MCA_plm=isolated OMPI_MCA_btl=self,vader OMPI_MCA_btl_vader_single_copy_mechanism=none \
    "$(command -v chroot)" "$bare" "$@"
}

"$source/scripts/bundle.sh" --build "$build" "$folder/precis-bundle"
if "$source/scripts/bundle.sh" --build "$build" "$folder/precis-bundle" 2> "$folder/again.txt"; then
  fail "a bundle was written over another"
fi
grep -q 'give a folder that is new' "$folder/again.txt" || fail "the message does not say why"
# Not where it was made, and under a name of its own.
mv "$folder/precis-bundle" "$bare/opt/moved here"
ln -s "/opt/moved here/bin/precis" "$bare/bin/precis"
for library in "$bare/opt/moved here"/lib/lib{c,m,cuda,cudart,cublas,cublasLt}.so*; do
  [ ! -e "$library" ] || fail "the bundle has $library"
done

in_root precis --version
in_root precis synthesize --output /tmp/data --posts 200 --seed 1
in_root precis tokenizer --input /tmp/data/train.jsonl --vocab 300 --output /tmp/tokenizer.json
cp "$source/inputs/quickstart_sft.cfg" "$bare/tmp/sft.cfg"
in_root "/opt/moved here/bin/mpirun" --oversubscribe --bind-to none -n 2 "/opt/moved here/bin/precis" sft /tmp/sft.cfg \
  --tokenizer /tmp/tokenizer.json --data.train /tmp/data/train.jsonl --data.valid /tmp/data/valid.jsonl \
  --run /tmp/sft --threads 1
[ -s "$bare/tmp/sft/model.h5" ] || fail "two ranks made no model"
if [ -e "$bare/opt/moved here/bin/gpu_tests" ]; then
  in_root "/opt/moved here/bin/gpu_tests" --gtest_brief=1
fi
# Outside of that root, for it needs more tools.
"$bare/opt/moved here/scripts/gpu_check.sh" --device cpu --smoke "$folder/gpu_check"
