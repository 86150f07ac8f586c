/* kernels_neoni8mm.c: 64-bit ARM with matrix products of bytes (i8mm: servers and phones from 2021).
 *
 * smmla multiplies two rows of eight bytes by two columns of eight: twice the products of sdot, for rows side
 * by side.  A lone row gains nothing and takes sdot. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_I8MM

#include "kernels_neon.h"
#include "kernels_portable.h"

/* As in kernels_neondot.c. */
#if defined(__clang__)
#define I8MM ERNN_TARGET("i8mm")
#define SMMLA "smmla "
#else
#define I8MM
#define SMMLA ".arch_extension i8mm\n\tsmmla "
#endif

/* [2 columns][2 rows] += 2 columns of 8 weights times 2 rows of 8 numbers */
#define MATRIX(sums, w, x) __asm__(SMMLA "%0.4s, %1.16b, %2.16b" : "+w"(sums) : "w"(w), "w"(x))

/* q of eight bytes q + 128 of two rows; of four where that is all there is. */
ERNN_INLINE int8x16_t two_rows(const uint8_t *x, size_t x_stride, int are_eight) {
  uint8x8_t first = vdup_n_u8(0), second = vdup_n_u8(0);
  if (are_eight) {
    first = vld1_u8(x);
    second = vld1_u8(x + x_stride);
  } else {
    __builtin_memcpy(&first, x, 4);
    __builtin_memcpy(&second, x + x_stride, 4);
  }
  return vreinterpretq_s8_u8(veorq_u8(vcombine_u8(first, second), vdupq_n_u8(0x80)));
}

/* Four rows of bytes, or two rows in two planes, times one tile: two pairs of rows of bytes either way. */
I8MM ERNN_INLINE void block__neoni8mm(const uint8_t *x, size_t x_stride, size_t pair_apart,
                                      uint32_t quads, const int8_t *weights, size_t stride,
                                      const ernn_product *product, size_t column, uint8_t *out,
                                      size_t out_bytes, const int to_float, const int planes) {
  int32x4_t sums[2][8];
  ERNN_UNROLL
  for (int j = 0; j < 8; j++) sums[0][j] = sums[1][j] = vdupq_n_s32(0);
  for (uint32_t quad = 0; quad < quads; quad += 2, weights += 2 * stride, x += 8) {
    int are_two = quad + 2 <= quads;
    int8x16_t first = two_rows(x, x_stride, are_two);
    int8x16_t second = two_rows(x + pair_apart, x_stride, are_two);
    ERNN_UNROLL
    for (int j = 0; j < 4; j++) {
      int32x4_t four = vreinterpretq_s32_s8(vld1q_s8(weights + 16 * j)), next = vdupq_n_s32(0);
      if (are_two) next = vreinterpretq_s32_s8(vld1q_s8(weights + stride + 16 * j));
      int32x4_t low = vzip1q_s32(four, next), high = vzip2q_s32(four, next);
      MATRIX(sums[0][2 * j], low, first);
      MATRIX(sums[0][2 * j + 1], high, first);
      MATRIX(sums[1][2 * j], low, second);
      MATRIX(sums[1][2 * j + 1], high, second);
    }
  }
  ERNN_UNROLL
  for (int row = 0; row < 4 / planes; row++) {
    int32x4_t whole[4];
    ERNN_UNROLL
    for (int j = 0; j < 4; j++) {
      size_t at = column + 4 * (size_t)j;
      const int32x4_t *pair = sums[planes == 1 ? row / 2 : 0] + 2 * j;
      int32x4_t bias = vld1q_s32(product->bias + at);
      whole[j] = row % 2 ? vuzp2q_s32(pair[0], pair[1]) : vuzp1q_s32(pair[0], pair[1]);
      if (planes == 2) { /* q = 256 high + low + 128 */
        const int32x4_t *below = sums[1] + 2 * j;
        int32x4_t low = row % 2 ? vuzp2q_s32(below[0], below[1]) : vuzp1q_s32(below[0], below[1]);
        whole[j] = vmlaq_n_s32(low, whole[j], 256);
        bias = vaddq_s32(bias, vsubq_s32(bias, vld1q_s32(product->unsigned_bias + at)));
      }
      whole[j] = vaddq_s32(whole[j], bias);
    }
    finish_tile__neon(whole, product, column, out + (size_t)row * out_bytes, column, to_float);
  }
}

/* As many rows as come in blocks; returns how many. */
I8MM ERNN_INLINE uint32_t gemm__neoni8mm(const uint8_t *x, size_t x_stride, size_t plane,
                                         uint32_t rows, const ernn_product *product, uint8_t *out,
                                         size_t out_stride, const int to_float, const int planes) {
  const size_t out_bytes = out_stride * (to_float ? sizeof(float) : sizeof(int16_t));
  const uint32_t block = planes == 1 ? 4 : 2, taken = rows - rows % block;
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    for (uint32_t tile = 0; tile < in_panel; tile++) {
      for (uint32_t row = 0; row < taken; row += block) {
        block__neoni8mm(x + row * x_stride, x_stride, planes == 1 ? 2 * x_stride : plane, quads,
                        weights + 64 * tile, (size_t)in_panel * 64, product,
                        (size_t)(panel + tile) * ERNN_TILE, out + row * out_bytes, out_bytes,
                        to_float, planes);
      }
    }
  }
  return taken;
}

I8MM static void u8_product__neoni8mm(const uint8_t *x, size_t x_stride, uint32_t rows,
                                      const ernn_product *product, int16_t *out,
                                      size_t out_stride) {
  uint32_t done = gemm__neoni8mm(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 0, 1);
  ernn_u8_product__neondot(x + done * x_stride, x_stride, rows - done, product,
                           out + done * out_stride, out_stride);
}

I8MM static void u8_sums__neoni8mm(const uint8_t *x, size_t x_stride, uint32_t rows,
                                   const ernn_product *product, float *out, size_t out_stride) {
  uint32_t done = gemm__neoni8mm(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 1, 1);
  ernn_u8_sums__neondot(x + done * x_stride, x_stride, rows - done, product,
                        out + done * out_stride, out_stride);
}

I8MM static void planes_product__neoni8mm(const uint8_t *x, size_t x_stride, size_t plane,
                                          uint32_t rows, const ernn_product *product, int16_t *out,
                                          size_t out_stride) {
  uint32_t done =
      gemm__neoni8mm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 0, 2);
  ernn_planes_product__neondot(x + done * x_stride, x_stride, plane, rows - done, product,
                               out + done * out_stride, out_stride);
}

I8MM static void planes_sums__neoni8mm(const uint8_t *x, size_t x_stride, size_t plane,
                                       uint32_t rows, const ernn_product *product, float *out,
                                       size_t out_stride) {
  uint32_t done =
      gemm__neoni8mm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 1, 2);
  ernn_planes_sums__neondot(x + done * x_stride, x_stride, plane, rows - done, product,
                            out + done * out_stride, out_stride);
}

const ernn_kernels ernn_kernels_neoni8mm = {
    .isa = ERNN_ISA_NEONI8MM,
    .rows = &ernn_rows_portable,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__neon),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__portable),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__portable),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__portable),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__portable),
    .f32_sigmoid = ernn_f32_sigmoid__portable,
    .f32_tanh = ernn_f32_tanh__portable,
    .u8_product = u8_product__neoni8mm,
    .s16_product = ernn_s16_product__neon,
    .u8_sums = u8_sums__neoni8mm,
    .s16_sums = ernn_s16_sums__neon,
    .planes_product = planes_product__neoni8mm,
    .planes_sums = planes_sums__neoni8mm,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__neondot),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__neon),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__neon),
};

#else
typedef int ernn_no_neoni8mm; /* C99 wants something in every file */
#endif
