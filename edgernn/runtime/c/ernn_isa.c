/* ernn_isa.c: which kernels there are, and which of them this processor can run. */

#include "ernn_internal.h"

#ifdef ERNN_HAS_X86
#include "kernels_intrinsics.h"
#endif
#if defined(ERNN_HAS_NEON) && defined(__linux__) && __STDC_HOSTED__
#include <sys/auxv.h>
#endif

extern const ernn_kernels ernn_kernels_portable;
#ifdef ERNN_HAS_X86
extern const ernn_kernels ernn_kernels_avx2, ernn_kernels_avx512vnni;
#endif
#ifdef ERNN_HAS_AMX
extern const ernn_kernels ernn_kernels_amx;
#endif
#ifdef ERNN_HAS_NEON
extern const ernn_kernels ernn_kernels_neon, ernn_kernels_neondot;
#endif

#ifdef ERNN_HAS_SIMD128
extern const ernn_kernels ernn_kernels_simd128;
#endif

const ernn_kernels *const ernn_kernels_by_isa[ERNN_ISA_COUNT] = {
    [ERNN_ISA_PORTABLE] = &ernn_kernels_portable,
#ifdef ERNN_HAS_X86
    [ERNN_ISA_AVX2] = &ernn_kernels_avx2,
    [ERNN_ISA_AVX512VNNI] = &ernn_kernels_avx512vnni,
#endif
#ifdef ERNN_HAS_AMX
    [ERNN_ISA_AMX] = &ernn_kernels_amx,
#endif
#ifdef ERNN_HAS_NEON
    [ERNN_ISA_NEON] = &ernn_kernels_neon,
    [ERNN_ISA_NEONDOT] = &ernn_kernels_neondot,
#endif
#ifdef ERNN_HAS_SIMD128
    [ERNN_ISA_SIMD128] = &ernn_kernels_simd128,
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

#ifdef ERNN_HAS_NEON
#define HWCAP_CRC32 (1ul << 7)
#define HWCAP_DOT (1ul << 20) /* HWCAP_ASIMDDP */

#ifdef ERNN_HWCAP
unsigned long ERNN_HWCAP(void);
#endif

/* Without an operating system, only the compiler's options are known. */
static int has_hwcap(unsigned long bit) {
#if defined(ERNN_HWCAP)
  return (ERNN_HWCAP() & bit) != 0;
#elif defined(__linux__) && __STDC_HOSTED__
  return (getauxval(AT_HWCAP) & bit) != 0;
#else
  return (void)bit, 0;
#endif
}

static int has_neon_dot(void) {
#if defined(__ARM_FEATURE_DOTPROD)
  return 1;
#else
  return has_hwcap(HWCAP_DOT);
#endif
}

int ernn_has_crc32(void) {
#if defined(__ARM_FEATURE_CRC32)
  return 1;
#else
  return has_hwcap(HWCAP_CRC32);
#endif
}
#endif

int ernn_isa_available(ernn_isa isa) {
  if (isa == ERNN_ISA_AUTO) return 1;
  if ((uint32_t)isa >= ERNN_ISA_COUNT || !ernn_kernels_by_isa[isa]) return 0;
#ifdef ERNN_HAS_X86
  if (isa == ERNN_ISA_AVX2 || isa == ERNN_ISA_AVX512VNNI) return has_x86(isa);
#endif
#ifdef ERNN_HAS_AMX
  if (isa == ERNN_ISA_AMX) return has_amx();
#endif
#ifdef ERNN_HAS_NEON
  if (isa == ERNN_ISA_NEONDOT) return has_neon_dot();
#endif
  return 1;
}

ernn_isa ernn_isa_best(void) {
  for (int isa = ERNN_ISA_COUNT - 1; isa > ERNN_ISA_PORTABLE; isa--) {
    if (ernn_isa_available((ernn_isa)isa)) return (ernn_isa)isa;
  }
  return ERNN_ISA_PORTABLE;
}
