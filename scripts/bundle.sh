#!/usr/bin/env bash
# Makes a folder that runs elsewhere: the program with Open MPI and every other library it needs, for a
# Linux that has nothing of them installed, of the same processor family and with a C library at
# least as new as this machine's. CUDA's own libraries are not taken along: with a GPU they are
# looked for in $CUDA_HOME and /usr/local/cuda, without one they are not needed.
# usage: scripts/bundle.sh [--build FOLDER] OUT
#   --build  the build to take (default build/), with its tests for a GPU if they are there
#   OUT      a new folder; OUT/bin/precis, OUT/bin/mpirun and OUT/scripts/gpu_check.sh are what one calls
. "$(dirname "$0")/common.sh"

shopt -s extglob
limit_mib=40 build=$root/build out=
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$(value_of "a folder" "$@"); shift 2 ;;
    -*) wrong_use "$1 is not an argument of bundle.sh." ;;
    *) [ -z "$out" ] || wrong_use "$1 is one folder too many."; out=$1; shift ;;
  esac
done
[ -n "$out" ] || wrong_use "OUT is missing."
[ -x "$build/bin/precis" ] || fail "$build/bin/precis is missing: scripts/build.sh makes it, or name a build with --build."
if [ -e "$out" ]; then
  fail "$out exists; give a folder that is new."
fi

# needed FILE ...: the libraries that they load, by path; the C library, which goes with the
# machine's loader, and CUDA's are left out.
needed() {
  local listing missing
  listing=$(ldd "$@" | grep -vE '^\s*(linux-vdso|/\S*ld-linux|lib(c|m|dl|rt|pthread|util|resolv)\.so|lib(cuda|cudart|cublas|cublasLt|nv\w+)\.so)' || true)
  missing=$(awk '/=> not found/ {print $1}' <<< "$listing" | sort -u | tr '\n' ' ')
  [ -z "$missing" ] || fail "Libraries are missing on this machine: $missing"
  awk '$2 == "=>" {print $3}' <<< "$listing" | sort -u
}

# installed KIND: where this machine's Open MPI has its KIND, below PREFIX.
installed() { OPAL_PREFIX=PREFIX ompi_info --parsable --path "$1" | sed -n 's/^path:[^:]*://p'; }

prefix=$(ompi_info --parsable --path prefix | sed -n 's/^path:[^:]*://p')
plugins=$(installed pkglibdir) texts=$(installed pkgdatadir)
[[ $plugins == PREFIX/* && $texts == PREFIX/* ]] || fail "This machine's Open MPI cannot be moved to another prefix."
plugins=${plugins#PREFIX/} texts=${texts#PREFIX/}

mkdir -p "$out"/{bin,libexec,lib/pmix,etc,scripts,tests/golden} "$out/$plugins" "$out/$texts"
out=$(cd "$out" && pwd)

programs=(precis)
cp "$build/bin/precis" "$out/libexec/"
if [ -x "$build/tests/gpu_tests" ]; then
  cp "$build/tests/gpu_tests" "$out/libexec/"
  programs+=(gpu_tests)
fi
cp "$root"/scripts/{common,gpu_check}.sh "$out/scripts/"
cp -r "$root/inputs" "$out/"
cp -r "$root/tests/golden/model" "$out/tests/golden/"
strip "$out"/libexec/*
for program in mpirun orted; do
  cp "$(readlink -f "$(command -v $program)")" "$out/libexec/$program"
  programs+=("$program")
done

# The plugins of networks that a machine without their libraries does not have stay here.
for plugin in "$prefix/$plugins"/mca_*.so; do
  case $(ldd "$plugin") in
    *lib@(fabric|ibverbs|ucp|psm2|psm_infinipath).so*) ;;
    *) cp "$plugin" "$out/$plugins/" ;;
  esac
done
cp "$prefix/$texts"/help-*.txt "$out/$texts/"
cp -rL "$(ompi_info --parsable --path sysconfdir | sed -n 's/^path:[^:]*://p')" "$out/etc/openmpi"

# Debian's Open MPI starts its ranks with PMIx, a library with plugins of its own.
pmix=$(needed "$out/$plugins"/mca_pmix_*.so | sed -n '/\/libpmix\.so/p')
if [ -n "$pmix" ]; then
  cp "$(dirname "$(readlink -f "$pmix")")"/pmix/*.so "$out/lib/pmix/"
fi

mapfile -t objects < <(find "$out/libexec" "$out/lib" -type f)
libraries=$(needed "${objects[@]}")
mapfile -t libraries <<< "$libraries"
cp -L "${libraries[@]}" "$out/lib/"
# What was not stripped by the distribution.
find "$out/lib" -name '*.so*' -exec strip --strip-unneeded {} +

cat > "$out/bin/precis" <<END
#!/bin/sh
# Starts the program of this name in ../libexec with this folder's libraries and Open MPI.
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
path=\$here/lib
for folder in \${CUDA_HOME:+"\$CUDA_HOME/lib64"} /usr/local/cuda/lib64; do
  if [ -d "\$folder" ]; then
    path=\$path:\$folder
  fi
done
case :\${LD_LIBRARY_PATH-}: in
  *:\$here/lib:*) ;; # under mpirun
  *) export LD_LIBRARY_PATH="\$path\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" ;;
esac
export OPAL_PREFIX="\$here" OPAL_SYSCONFDIR="\$here/etc/openmpi"
export PRECIS_GOLDEN="\$here/tests/golden/model"
export PMIX_PKGLIBDIR="\$here/lib/pmix" PMIX_SYSCONFDIR="\$here/etc" PMIX_PKGDATADIR="\$here/etc"
exec "\$here/libexec/\$(basename "\$0")" "\$@"
END
chmod +x "$out/bin/precis"
for program in "${programs[@]:1}"; do
  ln -s precis "$out/bin/$program"
done

bytes=$(tar -C "$(dirname "$out")" -cf - "$(basename "$out")" | gzip -9 | wc -c)
mib=$(awk -v bytes="$bytes" 'BEGIN {printf "%.1f", bytes / 2^20}')
say "$out: $(du -sm "$out" | cut -f 1) MiB, $mib MiB compressed"
[ "$bytes" -le $((limit_mib << 20)) ] || fail "The bundle has $mib MiB compressed; at most $limit_mib are allowed."
