/* ernn_products.h: integer products, with weights of 8 or of 4 bits. */
#ifndef ERNN_PRODUCTS_H
#define ERNN_PRODUCTS_H

#include "ernn_kernels.h"

/* Of one column in a panel. */
static inline size_t ernn_column_bytes(const ernn_product *product) {
  uint32_t quads = (product->rows + 3) / 4;
  return 4 * (size_t)(product->is_nibbles ? (quads + 1) / 2 : quads);
}

/* Recurrent weights are multiplied in parts, groups of panels.
 *
 * Every other step goes through the parts from the last to the first: what the step before read at
 * its end is still in the cache.  Always in one order, weights that are larger than a cache by a
 * little are never found in it (measured: 2 to 20 % of a sequence's time). */
enum { ERNN_PARTS = 4 };

typedef struct ernn_part {
  uint32_t first, end; /* panels */
} ernn_part;

/* The part that is number `index` in turn `turn`, of `parts`; it may be empty. */
static inline ernn_part ernn_part_of(uint32_t columns, uint32_t tiles, uint32_t parts,
                                     uint32_t turn, uint32_t index) {
  uint32_t width = tiles * ERNN_TILE, panels = (columns + width - 1) / width;
  uint32_t number = turn & 1u ? parts - 1 - index : index;
  ernn_part part = {panels * number / parts, panels * (number + 1) / parts};
  return part;
}

/* Columns of a part, which begins at column `column`. */
static inline uint32_t ernn_part_columns(uint32_t columns, uint32_t tiles, ernn_part part) {
  uint32_t column = part.first * tiles * ERNN_TILE, width = (part.end - part.first) * tiles * ERNN_TILE;
  return width < columns - column ? width : columns - column;
}

static inline ernn_product ernn_product_part(const ernn_product *whole, ernn_part taken) {
  ernn_product part = *whole;
  uint32_t column = taken.first * whole->tiles * ERNN_TILE;
  part.panels += (size_t)column * ernn_column_bytes(whole);
  part.bias += column;
  part.unsigned_bias += column;
  part.shift += column;
  part.multiplier += column;
  part.output_scale += column;
  part.columns = ernn_part_columns(whole->columns, whole->tiles, taken);
  return part;
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
