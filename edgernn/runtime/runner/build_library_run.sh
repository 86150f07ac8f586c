#!/bin/sh
# Builds for Android what runs models in a shared library, with nothing but clang and lld (no NDK): the
# program, which is a dynamic executable since only the target's own loader can load a runtime for it,
# and our operators for ONNX Runtime.
#
#     sh edgernn/runtime/runner/build_library_run.sh OUT [ABI ...]
#
# writes OUT/edgernn-library-run-ABI and OUT/edgernn-operators-ABI
# ABI: x86_64, arm64-v8a, armeabi-v7a (the default is all of them)
set -eu
here=$(dirname "$0")
out=$1
shift
mkdir -p "$out"
for abi in ${*:-x86_64 arm64-v8a armeabi-v7a}; do
  loader=/system/bin/linker64
  case $abi in
    x86_64) target=x86_64-linux-android24 ;;
    arm64-v8a) target=aarch64-linux-android24 ;;
    armeabi-v7a) target=armv7a-linux-androideabi24 loader=/system/bin/linker ;;
    *) echo "$0: no ABI $abi; there are x86_64, arm64-v8a, armeabi-v7a" >&2; exit 2 ;;
  esac
  # Pages of 16 KB: new Androids.  A loader of Android 6 and newer reads either kind of hash table.
  build() {
    "${CLANG:-clang}" --target=$target -std=c99 -O2 -ffreestanding -nostdlib \
      -fuse-ld=lld -Wl,-z,max-page-size=16384 -Wl,-z,now -Wl,--hash-style=both -Wl,--gc-sections \
      -Wl,--strip-all -Wl,--no-undefined -ffunction-sections -fomit-frame-pointer \
      -fno-stack-protector -fno-asynchronous-unwind-tables "$@"
  }
  stubs=$out/stubs-$abi
  mkdir -p "$stubs"
  # A linker only wants to know which library has which function: these have them, and do nothing.
  for stub in 'dl void dlopen(void){} void dlsym(void){} void dlerror(void){}' \
              'c void memcpy(void){} void memset(void){} void getauxval(void){}
                 void malloc(void){} void calloc(void){} void free(void){}
                 void __aeabi_memcpy(void){} void __aeabi_memcpy4(void){} void __aeabi_memcpy8(void){}
                 void __aeabi_memclr(void){} void __aeabi_memclr4(void){} void __aeabi_memclr8(void){}
                 void __aeabi_memset(void){} void __aeabi_memset4(void){} void __aeabi_memset8(void){}'
  do
    name=lib${stub%% *}.so
    echo "${stub#* }" | "${CLANG:-clang}" --target=$target -w -ffreestanding -fno-builtin -nostdlib \
      -shared -fuse-ld=lld -Wl,-soname,$name -x c - -o "$stubs/$name"
  done
  cat > "$stubs/stdlib.h" <<'HEADER'
#include <stddef.h>
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *room);
HEADER
  cat > "$stubs/string.h" <<'HEADER'
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
HEADER
  build -fPIE -pie -Wl,--dynamic-linker,$loader -DSYSTEM_LOADS_LIBRARIES "$here"/library_run.c \
    -L"$stubs" -Wl,--no-as-needed -ldl -lc -o "$out/edgernn-library-run-$abi"
  build -fPIC -shared -fvisibility=hidden -Wl,-soname,libedgernn_operators.so -I"$stubs" \
    -I"$here"/../c -DERNN_HWCAP=operators_hwcap "$here"/../ort/ernn_ort.c "$here"/operators.c \
    "$here"/../c/*.c -L"$stubs" -lc -o "$out/edgernn-operators-$abi"
  rm -r "$stubs"
done
