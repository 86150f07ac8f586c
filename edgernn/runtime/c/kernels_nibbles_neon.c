/* kernels_nibbles_neon.c: weights of 4 bits on ARM, with and without dot products. */

#include "ernn_kernels.h"

#if defined(ERNN_HAS_NEON) && ERNN_HAS_NIBBLES

#include "kernels_neon.h"
#include "kernels_nibbles.h"

#ifdef __aarch64__
#define NIBBLE_PAIRS(a, b) vpaddq_u16(a, b)
#else
#define NIBBLE_PAIRS(a, b)                                                                         \
  vcombine_u16(vpadd_u16(vget_low_u16(a), vget_high_u16(a)),                                       \
               vpadd_u16(vget_low_u16(b), vget_high_u16(b)))
#endif

/* What both sets share: sums of unsigned bytes times unsigned nibbles. */
ERNN_INLINE uint32x4_t nibble_zero__neon(void) { return vdupq_n_u32(0); }
ERNN_INLINE uint32x4_t nibble_load__neon(const int32_t *from) {
  return vreinterpretq_u32_s32(vld1q_s32(from));
}
ERNN_INLINE uint32x4_t nibble_add__neon(uint32x4_t a, uint32x4_t b) { return vaddq_u32(a, b); }
ERNN_INLINE uint32x4_t nibble_sub__neon(uint32x4_t a, uint32x4_t b) { return vsubq_u32(a, b); }
ERNN_INLINE uint32x4_t nibble_times256__neon(uint32x4_t a) { return vshlq_n_u32(a, 8); }
ERNN_INLINE uint32x4_t nibble_all__neon(uint32_t quad) { return vdupq_n_u32(quad); }

ERNN_INLINE void nibble_unpack__neon(const uint8_t *pack, uint32x4_t *low, uint32x4_t *high) {
  uint8x16_t both = vld1q_u8(pack);
  *low = vreinterpretq_u32_u8(vandq_u8(both, vdupq_n_u8(15)));
  *high = vreinterpretq_u32_u8(vshrq_n_u8(both, 4));
}

ERNN_INLINE uint32x4_t nibble_plane__neon(const uint8_t *words, uint32_t bytes) {
  uint8x16_t both = vld1q_u8(words);
  both = veorq_u8(both, vreinterpretq_u8_u16(vdupq_n_u16(0x8000)));
  return vreinterpretq_u32_u8(vqtbl1q_u8(both, vreinterpretq_u8_u32(vdupq_n_u32(bytes))));
}

/* Eight products of at most 255 * 15 fit 16 bits. */
ERNN_INLINE uint32x4_t nibble_dot__neon(uint32x4_t sum, const uint32x4_t *x, const uint32x4_t *w) {
  uint16x8_t left = vdupq_n_u16(0), right = left;
  ERNN_UNROLL
  for (int i = 0; i < 4; i++) {
    uint8x16_t a = vreinterpretq_u8_u32(x[i]), b = vreinterpretq_u8_u32(w[i]);
    left = vmlal_u8(left, vget_low_u8(a), vget_low_u8(b));
    right = vmlal_u8(right, vget_high_u8(a), vget_high_u8(b));
  }
  return vpadalq_u16(sum, NIBBLE_PAIRS(left, right));
}

ERNN_INLINE uint32x4_t nibble_weighted__neon(uint32x4_t sum, uint32_t inputs) {
  return vshlq_n_u32(vsubq_u32(sum, vdupq_n_u32(8 * inputs)), 4);
}

ERNN_INLINE void nibble_finish__neon(const uint32x4_t *sums, const ernn_product *product,
                                     size_t column, void *out, size_t at, int to_float) {
  int32x4_t as_signed[4];
  ERNN_UNROLL
  for (int i = 0; i < 4; i++) as_signed[i] = vreinterpretq_s32_u32(sums[i]);
  finish_tile__neon(as_signed, product, column, out, at, to_float);
}

#define ANY_NEON

/* Of four, sums and inputs do not fit the registers of 32-bit ARM. */
#if defined(__aarch64__) && !ERNN_IS_SMALL
#define BLOCK_ROWS 4
#else
#define BLOCK_ROWS 2
#endif

ERNN_NIBBLE_KERNELS(ANY_NEON, neon, uint32x4_t, 4, BLOCK_ROWS, 1, 2, 1, 0)
ERNN_NIBBLE_GEMM(ANY_NEON, neon)

#ifdef ERNN_HAS_ARM64

/* By hand, as in kernels_neondot.c. */
#if defined(__clang__)
#define NIBBLE_DOT ERNN_TARGET("dotprod")
#define UDOT "udot "
#else
#define NIBBLE_DOT
#define UDOT ".arch_extension dotprod\n\tudot "
#endif

NIBBLE_DOT ERNN_INLINE uint32x4_t nibble_dot__neondot(uint32x4_t sum, const uint32x4_t *x,
                                                      const uint32x4_t *w) {
  ERNN_UNROLL
  for (int i = 0; i < 4; i++) {
    __asm__(UDOT "%0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(w[i]), "w"(x[i]));
  }
  return sum;
}

#define nibble_zero__neondot nibble_zero__neon
#define nibble_load__neondot nibble_load__neon
#define nibble_add__neondot nibble_add__neon
#define nibble_sub__neondot nibble_sub__neon
#define nibble_times256__neondot nibble_times256__neon
#define nibble_all__neondot nibble_all__neon
#define nibble_plane__neondot nibble_plane__neon
#define nibble_unpack__neondot nibble_unpack__neon
#define nibble_weighted__neondot nibble_weighted__neon
#define nibble_finish__neondot nibble_finish__neon

ERNN_NIBBLE_KERNELS(NIBBLE_DOT, neondot, uint32x4_t, 4, BLOCK_ROWS, 1, 2, 1, 1)
ERNN_NIBBLE_GEMM(NIBBLE_DOT, neondot)

#endif

#undef BLOCK_ROWS

#else
typedef int ernn_no_nibbles_neon; /* C99 wants something in every file */
#endif
