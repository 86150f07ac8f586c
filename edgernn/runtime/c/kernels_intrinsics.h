/* kernels_intrinsics.h: x86's intrinsics, all of them, whatever the compiler's options say. */
#ifndef KERNELS_INTRINSICS_H
#define KERNELS_INTRINSICS_H

#include <cpuid.h>
#include <immintrin.h>

/* clang-cl leaves out what /arch does not name, but each kernel names its own instruction set. */
#if defined(__clang__) && defined(_MSC_VER)
#include <emmintrin.h>
#include <pmmintrin.h>
#include <smmintrin.h>
#include <tmmintrin.h>
#include <wmmintrin.h>

#include <avxintrin.h>

#include <avx2intrin.h>
#include <f16cintrin.h>
#include <fmaintrin.h>

#include <avx512fintrin.h>

#include <avx512bwintrin.h>
#include <avx512dqintrin.h>
#include <avx512vlintrin.h>

#include <avx512vlbwintrin.h>
#include <avx512vldqintrin.h>
#include <avx512vnniintrin.h>

#include <avx512vlvnniintrin.h>
#if __clang_major__ >= 13
#include <avxvnniintrin.h>
#endif
#endif

#endif
