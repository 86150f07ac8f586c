/* kernels_neondot.c: 64-bit ARM with dot products (armv8.2 and later: Pi 5, phones from 2018). */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_ARM64

#include "kernels_neon.h"
#include "kernels_portable.h"

/* Instructions by hand: clang before 16 declares vdotq_s32 only when the whole file is compiled for
 * such processors.  clang needs the extension as an attribute of each function, gcc's assembler at
 * each use. */
#if defined(__clang__)
#define DOT ERNN_TARGET("dotprod")
#define SDOT "sdot "
#else
#define DOT
#define SDOT ".arch_extension dotprod\n\tsdot "
#endif

/* Four sums of four products each; the second takes four numbers of q for all of them. */
#define DOT4(sums, w, q) __asm__(SDOT "%0.4s, %1.16b, %2.16b" : "+w"(sums) : "w"(w), "w"(q))
#define DOT4_LANE(sums, w, q, lane)                                                                \
  __asm__(SDOT "%0.4s, %1.16b, %2.4b[" #lane "]" : "+w"(sums) : "w"(w), "w"(q))

/* One row of bytes times `n` tiles, sixteen rows of the product at a time. */
DOT ERNN_INLINE void u8_block__neondot(const uint8_t *x, uint32_t quads, const int8_t *weights,
                          const ernn_product *product, size_t column, void *out,
                          const int to_float, const int n) {
  int32x4_t sums[16];
  const int stride = 64 * n; /* a constant: addresses need no instructions of their own */
  ERNN_UNROLL
  for (int j = 0; j < 4 * n; j++) sums[j] = vld1q_s32(product->bias + column + 4 * (size_t)j);
  uint32_t quad = 0;
  for (; quad + 4 <= quads; quad += 4, weights += 4 * stride, x += 16) {
    int8x16_t q = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x), vdupq_n_u8(0x80)));
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) DOT4_LANE(sums[j], vld1q_s8(weights + 16 * j), q, 0);
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) DOT4_LANE(sums[j], vld1q_s8(weights + stride + 16 * j), q, 1);
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      DOT4_LANE(sums[j], vld1q_s8(weights + 2 * stride + 16 * j), q, 2);
    }
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      DOT4_LANE(sums[j], vld1q_s8(weights + 3 * stride + 16 * j), q, 3);
    }
  }
  for (; quad < quads; quad++, weights += stride, x += 4) {
    uint32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    int8x16_t q = vreinterpretq_s8_u32(vdupq_n_u32(four ^ 0x80808080u));
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) DOT4(sums[j], vld1q_s8(weights + 16 * j), q);
  }
  ERNN_UNROLL
  for (int tile = 0; tile < n; tile++) {
    size_t at = column + 16 * (size_t)tile;
    finish_tile__neon(sums + 4 * tile, product, at, out, at, to_float);
  }
}

DOT ERNN_ONE_COPY void u8_gemm__neondot(const uint8_t *x, size_t x_stride, uint32_t rows,
                         const ernn_product *product, uint8_t *out, size_t out_stride,
                         const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    size_t column = (size_t)panel * ERNN_TILE;
    for (uint32_t row = 0; row < rows; row++) {
      const uint8_t *from = x + row * x_stride;
      uint8_t *to = out + row * out_stride * element;
      switch (taken) {
        case 1: u8_block__neondot(from, quads, weights, product, column, to, to_float, 1); break;
        case 2: u8_block__neondot(from, quads, weights, product, column, to, to_float, 2); break;
        case 3: u8_block__neondot(from, quads, weights, product, column, to, to_float, 3); break;
        default: u8_block__neondot(from, quads, weights, product, column, to, to_float, 4);
      }
    }
  }
}

DOT void ernn_u8_product__neondot(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, int16_t *out, size_t out_stride) {
  u8_gemm__neondot(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

DOT void ernn_u8_sums__neondot(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__neondot(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* One row of 16-bit numbers in two planes of bytes times `n` tiles: each vector of weights that is
 * loaded is multiplied twice.  q = 256 high + low + 128 with both planes signed. */
DOT ERNN_INLINE void planes_block(const uint8_t *x, size_t plane, uint32_t quads,
                              const int8_t *weights, const int stride, const ernn_product *product,
                              size_t column, void *out, const int to_float, const int n) {
  int32x4_t high[12], low[12];
  const uint8x16_t sign = vdupq_n_u8(0x80);
  ERNN_UNROLL
  for (int j = 0; j < 4 * n; j++) { /* low begins at the bias + 128 times the weights */
    int32x4_t bias = vld1q_s32(product->bias + column + 4 * (size_t)j);
    int32x4_t below = vld1q_s32(product->unsigned_bias + column + 4 * (size_t)j);
    high[j] = vdupq_n_s32(0);
    low[j] = vaddq_s32(bias, vsubq_s32(bias, below));
  }
  uint32_t quad = 0;
#define LANE(lane)                                                                                 \
  ERNN_UNROLL                                                                                      \
  for (int j = 0; j < 4 * n; j++) {                                                                \
    int8x16_t w = vld1q_s8(weights + (lane) * stride + 16 * j);                                    \
    DOT4_LANE(high[j], w, q, lane);                                                                \
    DOT4_LANE(low[j], w, r, lane);                                                                 \
  }
  for (; quad + 4 <= quads; quad += 4, weights += 4 * stride, x += 16) {
    int8x16_t q = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x), sign));
    int8x16_t r = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x + plane), sign));
    LANE(0)
    LANE(1)
    LANE(2)
    LANE(3)
  }
#undef LANE
  for (; quad < quads; quad++, weights += stride, x += 4) {
    uint32_t four, below;
    __builtin_memcpy(&four, x, sizeof four);
    __builtin_memcpy(&below, x + plane, sizeof below);
    int8x16_t q = vreinterpretq_s8_u32(vdupq_n_u32(four ^ 0x80808080u));
    int8x16_t r = vreinterpretq_s8_u32(vdupq_n_u32(below ^ 0x80808080u));
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      int8x16_t w = vld1q_s8(weights + 16 * j);
      DOT4(high[j], w, q);
      DOT4(low[j], w, r);
    }
  }
  ERNN_UNROLL
  for (int j = 0; j < 4 * n; j++) high[j] = vmlaq_n_s32(low[j], high[j], 256);
  ERNN_UNROLL
  for (int tile = 0; tile < n; tile++) {
    size_t at = column + 16 * (size_t)tile;
    finish_tile__neon(high + 4 * tile, product, at, out, at, to_float);
  }
}

DOT ERNN_ONE_COPY void planes_gemm(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                             const ernn_product *product, uint8_t *out, size_t out_stride,
                             const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
#define BLOCK(first, n, of)                                                                        \
  planes_block(x + row * x_stride, plane, quads, weights + 64 * (first), 64 * (of), product,       \
               column + 16 * (first), out + row * out_stride * element, to_float, n)
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    size_t column = (size_t)panel * ERNN_TILE;
    for (uint32_t row = 0; row < rows; row++) {
      if (ERNN_IS_SMALL) {
        uint32_t tile = 0;
        for (; tile + 2 <= taken; tile += 2) BLOCK(tile, 2, (int)taken);
        if (tile < taken) BLOCK(tile, 1, (int)taken);
        continue;
      }
      switch (taken) {
        case 1: BLOCK(0, 1, 1); break;
        case 2: BLOCK(0, 2, 2); break;
        case 3: BLOCK(0, 3, 3); break;
        default:
          BLOCK(0, 2, 4);
          BLOCK(2, 2, 4);
      }
    }
  }
#undef BLOCK
}

DOT void ernn_planes_product__neondot(const uint8_t *x, size_t x_stride, size_t plane,
                                    uint32_t rows, const ernn_product *product, int16_t *out,
                                    size_t out_stride) {
  planes_gemm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 0);
}

DOT void ernn_planes_sums__neondot(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                 const ernn_product *product, float *out, size_t out_stride) {
  planes_gemm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 1);
}

const ernn_kernels ernn_kernels_neondot = {
    .isa = ERNN_ISA_NEONDOT,
    .rows = &ernn_rows_portable,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__neon),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__portable),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__portable),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__portable),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__portable),
    .f32_sigmoid = ernn_f32_sigmoid__portable,
    .f32_tanh = ernn_f32_tanh__portable,
    .u8_product = ernn_u8_product__neondot,
    .s16_product = ernn_s16_product__neon,
    .u8_sums = ernn_u8_sums__neondot,
    .s16_sums = ernn_s16_sums__neon,
    .planes_product = ernn_planes_product__neondot,
    .planes_sums = ernn_planes_sums__neondot,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__neondot),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__neon),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__neon),
};

#else
typedef int ernn_no_neondot; /* C99 wants something in every file */
#endif
