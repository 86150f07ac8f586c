/* kernels_neon.h: what the sets of ARM kernels share. */
#ifndef KERNELS_NEON_H
#define KERNELS_NEON_H

#include <arm_neon.h>

#include "ernn_kernels.h"

#ifdef __aarch64__
ernn_f32_gemm ernn_f32_gemm__neon;
#else
#define ernn_f32_gemm__neon ernn_f32_gemm__portable
#endif
#ifdef ERNN_HAS_ARM64
ernn_u8_product ernn_u8_product__neondot;
ernn_u8_sums ernn_u8_sums__neondot;
ernn_planes_product ernn_planes_product__neondot;
ernn_planes_sums ernn_planes_sums__neondot;
#endif
ernn_s16_product ernn_s16_product__neon;
ernn_s16_sums ernn_s16_sums__neon;
ernn_s16_gru ernn_s16_gru__neon;
ernn_s16_lstm ernn_s16_lstm__neon;

/* 32-bit ARM: the same by two instructions.  Not of floats: NEON there has no subnormal numbers. */
#ifndef __aarch64__
#define vmull_high_s8(a, b) vmull_s8(vget_high_s8(a), vget_high_s8(b))
#define vmlal_high_s8(sum, a, b) vmlal_s8(sum, vget_high_s8(a), vget_high_s8(b))
#define vmlal_high_s16(sum, a, b) vmlal_s16(sum, vget_high_s16(a), vget_high_s16(b))
#define vmovl_high_s8(a) vmovl_s8(vget_high_s8(a))

ERNN_INLINE int32x4_t ernn_vpaddq_s32(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)),
                      vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}
#define vpaddq_s32 ernn_vpaddq_s32

ERNN_INLINE uint8x16_t ernn_vqtbl1q_u8(uint8x16_t table, uint8x16_t index) {
  uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
  return vcombine_u8(vtbl2_u8(halves, vget_low_u8(index)), vtbl2_u8(halves, vget_high_u8(index)));
}
#define vqtbl1q_u8 ernn_vqtbl1q_u8
#endif

/* What becomes of a tile's sums, four vectors in the order of lanes (columns 0-3, 8-11, 4-7,
 * 12-15): Q4.11 or float32. */
ERNN_ONE_COPY void finish_tile__neon(const int32x4_t *sums, const ernn_product *product, size_t column,
                                     void *out, size_t at, const int to_float) {
  if (to_float) {
    float *to = (float *)out + at;
    const float *scale = product->output_scale + column;
#ifdef __aarch64__
    vst1q_f32(to, vmulq_f32(vcvtq_f32_s32(sums[0]), vld1q_f32(scale)));
    vst1q_f32(to + 8, vmulq_f32(vcvtq_f32_s32(sums[1]), vld1q_f32(scale + 4)));
    vst1q_f32(to + 4, vmulq_f32(vcvtq_f32_s32(sums[2]), vld1q_f32(scale + 8)));
    vst1q_f32(to + 12, vmulq_f32(vcvtq_f32_s32(sums[3]), vld1q_f32(scale + 12)));
#else
    int32_t each[ERNN_TILE];
    for (int i = 0; i < 4; i++) vst1q_s32(each + 4 * i, sums[i]);
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      to[i] = (float)each[ERNN_LANE(i)] * scale[ERNN_LANE(i)];
    }
#endif
  } else {
    int16x4_t narrow[4];
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) {
      int32x4_t shift = vnegq_s32(vld1q_s32(product->shift + column + 4 * (size_t)i));
      narrow[i] = vqmovn_s32(vshlq_s32(sums[i], shift));
    }
    int16_t *to = (int16_t *)out + at;
    const int16_t *multiplier = product->multiplier + column;
    vst1q_s16(to, vqrdmulhq_s16(vcombine_s16(narrow[0], narrow[2]), vld1q_s16(multiplier)));
    vst1q_s16(to + 8, vqrdmulhq_s16(vcombine_s16(narrow[1], narrow[3]), vld1q_s16(multiplier + 8)));
  }
}

#endif
