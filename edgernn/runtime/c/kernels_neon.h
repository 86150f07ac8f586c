/* kernels_neon.h: what both sets of ARM kernels share. */
#ifndef KERNELS_NEON_H
#define KERNELS_NEON_H

#include <arm_neon.h>

#include "ernn_kernels.h"

ernn_f32_gemm ernn_f32_gemm__neon;
ernn_s16_product ernn_s16_product__neon;
ernn_s16_sums ernn_s16_sums__neon;
ernn_s16_gru ernn_s16_gru__neon;
ernn_s16_lstm ernn_s16_lstm__neon;

/* What becomes of a tile's sums, four vectors in the order of lanes (columns 0-3, 8-11, 4-7,
 * 12-15): Q4.11 or float32. */
ERNN_INLINE void finish_tile__neon(const int32x4_t *sums, const ernn_product *product, size_t column,
                             void *out, size_t at, const int to_float) {
  if (to_float) {
    float *to = (float *)out + at;
    const float *scale = product->output_scale + column;
    vst1q_f32(to, vmulq_f32(vcvtq_f32_s32(sums[0]), vld1q_f32(scale)));
    vst1q_f32(to + 8, vmulq_f32(vcvtq_f32_s32(sums[1]), vld1q_f32(scale + 4)));
    vst1q_f32(to + 4, vmulq_f32(vcvtq_f32_s32(sums[2]), vld1q_f32(scale + 8)));
    vst1q_f32(to + 12, vmulq_f32(vcvtq_f32_s32(sums[3]), vld1q_f32(scale + 12)));
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
