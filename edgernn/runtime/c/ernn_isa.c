/* ernn_isa.c: which kernels there are, and which of them this processor can run. */

#include "ernn_internal.h"

#ifdef ERNN_HAS_X86
#include "kernels_intrinsics.h"
#endif
#if defined(ERNN_HAS_ARM64) && !defined(ERNN_HWCAP)
#if defined(__linux__) && __STDC_HOSTED__
#include <sys/auxv.h>
#elif defined(__APPLE__) && __STDC_HOSTED__
#include <sys/sysctl.h>
#endif
#endif

extern const ernn_kernels ernn_kernels_portable;
#ifdef ERNN_HAS_X86
extern const ernn_kernels ernn_kernels_avx2;
#endif
#ifdef ERNN_HAS_AVXVNNI
extern const ernn_kernels ernn_kernels_avxvnni;
#endif
#ifdef ERNN_HAS_AVX512
extern const ernn_kernels ernn_kernels_avx512vnni;
#endif
#ifdef ERNN_HAS_AMX
extern const ernn_kernels ernn_kernels_amx;
#endif
#ifdef ERNN_HAS_ARM64
extern const ernn_kernels ernn_kernels_neondot;
#endif
#ifdef ERNN_HAS_I8MM
extern const ernn_kernels ernn_kernels_neoni8mm;
#endif
#ifdef ERNN_HAS_NEON
extern const ernn_kernels ernn_kernels_neon;
#endif
#ifdef ERNN_HAS_SIMD128
extern const ernn_kernels ernn_kernels_simd128;
#endif
#ifdef ERNN_HAS_RELAXED
extern const ernn_kernels ernn_kernels_relaxed, ernn_kernels_relaxeddot;
#endif

const ernn_kernels *const ernn_kernels_by_isa[ERNN_ISA_COUNT] = {
#if !ERNN_IS_SMALL || !(defined(ERNN_HAS_NEON) || defined(ERNN_HAS_SIMD128)) /* which are always there */
    [ERNN_ISA_PORTABLE] = &ernn_kernels_portable,
#endif
#ifdef ERNN_HAS_X86
    [ERNN_ISA_AVX2] = &ernn_kernels_avx2,
#endif
#ifdef ERNN_HAS_AVXVNNI
    [ERNN_ISA_AVXVNNI] = &ernn_kernels_avxvnni,
#endif
#ifdef ERNN_HAS_AVX512
    [ERNN_ISA_AVX512VNNI] = &ernn_kernels_avx512vnni,
#endif
#ifdef ERNN_HAS_AMX
    [ERNN_ISA_AMX] = &ernn_kernels_amx,
#endif
#ifdef ERNN_HAS_NEON
    [ERNN_ISA_NEON] = &ernn_kernels_neon,
#endif
#ifdef ERNN_HAS_ARM64
    [ERNN_ISA_NEONDOT] = &ernn_kernels_neondot,
#endif
#ifdef ERNN_HAS_I8MM
    [ERNN_ISA_NEONI8MM] = &ernn_kernels_neoni8mm,
#endif
#ifdef ERNN_HAS_SIMD128
    [ERNN_ISA_SIMD128] = &ernn_kernels_simd128,
#endif
#ifdef ERNN_HAS_RELAXED
    [ERNN_ISA_RELAXED] = &ernn_kernels_relaxed,
    [ERNN_ISA_RELAXEDDOT] = &ernn_kernels_relaxeddot,
#endif
};

const char *ernn_isa_name(ernn_isa isa) {
  static const char *const names[] = {
#define ERNN_ISA_NAME(name, text) text,
      ERNN_ISA_LIST(ERNN_ISA_NAME)
#undef ERNN_ISA_NAME
  };
  return (uint32_t)isa < ERNN_ISA_COUNT ? names[isa] : NULL;
}

#ifdef ERNN_HAS_X86
/* CPUID says what the processor has, XCR0 which registers the system saves.  Not
 * __builtin_cpu_supports: it needs the compiler's run-time library. */
static int has_x86(ernn_isa isa) {
  unsigned int a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  unsigned int fma = 1u << 12, f16c = 1u << 29, osxsave = 1u << 27;
  if ((c & (fma | f16c | osxsave)) != (fma | f16c | osxsave)) return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  int avx2 = (b & (1u << 5)) != 0 && (low & 0x06u) == 0x06u;
  if (isa == ERNN_ISA_AVX2) return avx2;
  if (isa == ERNN_ISA_AVXVNNI) {
    return avx2 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4)) != 0;
  }
  unsigned int f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  return avx2 && (b & f_dq_bw_vl) == f_dq_bw_vl && (c & (1u << 11)) != 0 &&
         (low & 0xE6u) == 0xE6u;
}
#endif

#ifdef ERNN_HAS_AMX
enum { ARCH_PRCTL = 158, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

/* Asks Linux for the tiles: without permission the first use of one ends the process.  The answer is
 * no where a signal's stack would be too small for them.  Asking again does nothing. */
static int may_use_tiles(void) {
  long result = ARCH_PRCTL;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"((long)ARCH_REQ_XCOMP_PERM), "S"((long)XFEATURE_XTILEDATA)
                   : "rcx", "r11", "memory");
  return result == 0;
}

static int has_amx(void) {
  unsigned int a, b, c, d, low, high;
  if (!has_x86(ERNN_ISA_AVX512VNNI) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  unsigned int tile_and_int8 = 1u << 24 | 1u << 25, saved = 1u << 17 | 1u << 18;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (d & tile_and_int8) == tile_and_int8 && (low & saved) == saved && may_use_tiles();
}
#endif

#ifdef ERNN_HAS_ARM64
#define HWCAP_CRC (1ul << 7) /* HWCAP_CRC32, which some headers define */
#define HWCAP_DOT (1ul << 20) /* HWCAP_ASIMDDP */
#define HWCAP_MATRIX (1ul << 63) /* ours: HWCAP2_I8MM, bit 13 of the second word; Linux leaves it 0 */
#define MATRIX_OF(second) (((second) >> 13 & 1ul) << 63)

#if defined(ERNN_HWCAP)

unsigned long ERNN_HWCAP(void);
ERNN_NOINLINE static unsigned long hwcap(void) { return ERNN_HWCAP(); }

#elif defined(__linux__) && __STDC_HOSTED__

ERNN_NOINLINE static unsigned long hwcap(void) {
  return getauxval(AT_HWCAP) | MATRIX_OF(getauxval(AT_HWCAP2));
}

#elif defined(__linux__)

enum { SYS_OPENAT = 56, SYS_CLOSE = 57, SYS_READ = 63, AT_CURRENT_FOLDER = -100, AT_HWCAP = 16, AT_HWCAP2 = 26 };

static long system_call(long number, long first, long second, long third) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = first;
  register long x1 __asm__("x1") = second;
  register long x2 __asm__("x2") = third;
  register long x3 __asm__("x3") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
  return x0;
}

/* As getauxval, without a C library: pairs of a key and its value.  0 where /proc is closed. */
ERNN_NOINLINE static unsigned long hwcap(void) {
  static const char path[] = "/proc/self/auxv";
  unsigned long pairs[64][2], found = 0;
  long file = system_call(SYS_OPENAT, AT_CURRENT_FOLDER, (long)path, 0);
  if (file < 0) return 0;
  long bytes = system_call(SYS_READ, file, (long)pairs, (long)sizeof pairs);
  system_call(SYS_CLOSE, file, 0, 0);
  for (long i = 0; i < bytes / (long)sizeof *pairs; i++) {
    if (pairs[i][0] == AT_HWCAP) found |= pairs[i][1];
    if (pairs[i][0] == AT_HWCAP2) found |= MATRIX_OF(pairs[i][1]);
  }
  return found;
}

#elif defined(__APPLE__) && __STDC_HOSTED__

static unsigned long has_feature(const char *name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}

ERNN_NOINLINE static unsigned long hwcap(void) {
  return has_feature("hw.optional.arm.FEAT_DotProd") * HWCAP_DOT |
         has_feature("hw.optional.arm.FEAT_I8MM") * HWCAP_MATRIX |
         has_feature("hw.optional.armv8_crc32") * HWCAP_CRC;
}

#else

/* Without an operating system, only the compiler's options are known. */
ERNN_NOINLINE static unsigned long hwcap(void) { return 0; }

#endif

static int has_neon_dot(void) {
#if defined(__ARM_FEATURE_DOTPROD)
  return 1;
#else
  return (hwcap() & HWCAP_DOT) != 0;
#endif
}

#ifdef ERNN_HAS_I8MM
static int has_neon_i8mm(void) {
#if defined(__ARM_FEATURE_MATMUL_INT8) && defined(__ARM_FEATURE_DOTPROD)
  return 1;
#else
  return has_neon_dot() && (hwcap() & HWCAP_MATRIX) != 0;
#endif
}
#endif

int ernn_has_crc32(void) {
#if defined(__ARM_FEATURE_CRC32)
  return 1;
#else
  return (hwcap() & HWCAP_CRC) != 0;
#endif
}
#endif

int ernn_isa_available(ernn_isa isa) {
  if (isa == ERNN_ISA_AUTO) return 1;
  if ((uint32_t)isa >= ERNN_ISA_COUNT || !ernn_kernels_by_isa[isa]) return 0;
#ifdef ERNN_HAS_X86
  if (isa == ERNN_ISA_AVX2 || isa == ERNN_ISA_AVXVNNI || isa == ERNN_ISA_AVX512VNNI) {
    return has_x86(isa);
  }
#endif
#ifdef ERNN_HAS_AMX
  if (isa == ERNN_ISA_AMX) return has_amx();
#endif
#ifdef ERNN_HAS_ARM64
  if (isa == ERNN_ISA_NEONDOT) return has_neon_dot();
#endif
#ifdef ERNN_HAS_I8MM
  if (isa == ERNN_ISA_NEONI8MM) return has_neon_i8mm();
#endif
#ifdef ERNN_HAS_RELAXED
  if (isa == ERNN_ISA_RELAXED || isa == ERNN_ISA_RELAXEDDOT) return ernn_has_relaxed(isa);
#endif
  return 1;
}

ernn_isa ernn_isa_best(void) {
  for (int isa = ERNN_ISA_COUNT - 1; isa > ERNN_ISA_PORTABLE; isa--) {
    if (ernn_isa_available((ernn_isa)isa)) return (ernn_isa)isa;
  }
  return ERNN_ISA_PORTABLE;
}
