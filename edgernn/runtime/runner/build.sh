#!/bin/sh
# Builds edgernn-run without a C library for Linux and Android: one static file per processor, with
# nothing but clang and lld (no NDK, no cross compiler).
#
#     sh edgernn/runtime/runner/build.sh OUT [ARCHITECTURE ...]    # writes OUT/edgernn-run-ARCHITECTURE
#
# ARCHITECTURE: x86_64, arm64, armv7 (the default is all of them)
set -eu
here=$(dirname "$0")
out=$1
shift
mkdir -p "$out"
for architecture in ${*:-x86_64 arm64 armv7}; do
  case $architecture in
    x86_64) target=x86_64-linux-android24 ;;
    arm64) target=aarch64-linux-android24 ;;
    armv7) target=armv7a-linux-androideabi24 ;;
    *) echo "build.sh: no architecture $architecture; there are x86_64, arm64, armv7" >&2; exit 2 ;;
  esac
  # -O2: -O3 adds a fifth to the size, outside of the kernels.  Pages of 16 KB: new Androids.
  "${CLANG:-clang}" --target=$target -std=c99 -O2 -ffreestanding -nostdlib \
    -static -fuse-ld=lld -Wl,-z,max-page-size=16384 -Wl,--gc-sections -Wl,--strip-all \
    -ffunction-sections -fomit-frame-pointer -fno-stack-protector -fno-asynchronous-unwind-tables \
    -DERNN_HWCAP=system_hwcap "$here"/../c/*.c "$here"/edgernn_run.c \
    -o "$out/edgernn-run-$architecture"
done
