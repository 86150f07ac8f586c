/* ernn_products.h: integer products, with weights of 8 or of 4 bits. */
#ifndef ERNN_PRODUCTS_H
#define ERNN_PRODUCTS_H

#include "ernn_kernels.h"

/* Of one column in a panel. */
static inline size_t ernn_column_bytes(const ernn_product *product) {
  uint32_t quads = (product->rows + 3) / 4;
  return 4 * (size_t)(product->is_nibbles ? (quads + 1) / 2 : quads);
}

/* As the kernels of the same names: Q4.11 by a PRODUCT. */

static inline void ernn_multiply_u8(const ernn_kernels *kernels, const uint8_t *x, size_t x_stride,
                                    uint32_t rows, const ernn_product *product, int16_t *out,
                                    size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm(x, x_stride, 0, rows, product, out, out_stride, 0, ERNN_NIBBLES_OF_BYTES);
  } else {
    kernels->u8_product(x, x_stride, rows, product, out, out_stride);
  }
}

static inline void ernn_multiply_s16(const ernn_kernels *kernels, const int16_t *x, size_t x_stride,
                                     uint32_t rows, const ernn_product *product, int16_t *out,
                                     size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm((const uint8_t *)(const void *)x, 2 * x_stride, 0, rows, product, out,
                         out_stride, 0, ERNN_NIBBLES_OF_WORDS);
  } else {
    kernels->s16_product(x, x_stride, rows, product, out, out_stride);
  }
}

static inline void ernn_multiply_planes(const ernn_kernels *kernels, const uint8_t *x,
                                        size_t x_stride, size_t plane, uint32_t rows,
                                        const ernn_product *product, int16_t *out,
                                        size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm(x, x_stride, plane, rows, product, out, out_stride, 0,
                         ERNN_NIBBLES_OF_PLANES);
  } else {
    kernels->planes_product(x, x_stride, plane, rows, product, out, out_stride);
  }
}

/* float32 by an ACCUMULATION. */

static inline void ernn_sum_u8(const ernn_kernels *kernels, const uint8_t *x, size_t x_stride,
                               uint32_t rows, const ernn_product *product, float *out,
                               size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm(x, x_stride, 0, rows, product, out, out_stride, 1, ERNN_NIBBLES_OF_BYTES);
  } else {
    kernels->u8_sums(x, x_stride, rows, product, out, out_stride);
  }
}

static inline void ernn_sum_s16(const ernn_kernels *kernels, const int16_t *x, size_t x_stride,
                                uint32_t rows, const ernn_product *product, float *out,
                                size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm((const uint8_t *)(const void *)x, 2 * x_stride, 0, rows, product, out,
                         out_stride, 1, ERNN_NIBBLES_OF_WORDS);
  } else {
    kernels->s16_sums(x, x_stride, rows, product, out, out_stride);
  }
}

static inline void ernn_sum_planes(const ernn_kernels *kernels, const uint8_t *x, size_t x_stride,
                                   size_t plane, uint32_t rows, const ernn_product *product,
                                   float *out, size_t out_stride) {
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm(x, x_stride, plane, rows, product, out, out_stride, 1,
                         ERNN_NIBBLES_OF_PLANES);
  } else {
    kernels->planes_sums(x, x_stride, plane, rows, product, out, out_stride);
  }
}

#endif
