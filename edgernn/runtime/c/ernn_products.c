/* ernn_products.c: products of integers, from rows in one of three forms. */

#include "ernn_products.h"

ernn_product ernn_product_of(const ernn_model *model, uint32_t index) {
  const ernn_constant *constant = ernn_constants(model) + index;
  const uint8_t *columns = model->bytes + constant->scales;
  size_t vector = constant->columns * sizeof(int32_t);
  ernn_product product = {
      .panels = (const int8_t *)(const void *)(model->bytes + constant->offset),
      .bias = (const int32_t *)(const void *)columns,
      .unsigned_bias = (const int32_t *)(const void *)(columns + vector),
      .shift = (const int32_t *)(const void *)(columns + 2 * vector),
      .multiplier = (const int16_t *)(const void *)(columns + 3 * vector),
      .output_scale = (const float *)(const void *)(columns + 2 * vector),
      .rows = constant->rows,
      .columns = constant->columns,
      .tiles = constant->tiles,
      .is_nibbles = constant->packing == ERNN_PACKED_NIBBLES,
  };
  return product;
}

/* The whole of `product`, whose columns are a part's. */
static void multiply_part(const ernn_kernels *kernels, const ernn_integers *from,
                          const ernn_product *product, void *out, size_t out_stride,
                          int to_float) {
  const uint8_t *x = (const uint8_t *)from->x;
  const int16_t *words = (const int16_t *)from->x;
  size_t stride = from->stride;
  uint32_t rows = from->rows;
  if (ERNN_HAS_NIBBLES && product->is_nibbles) {
    kernels->nibble_gemm(x, stride, from->plane, rows, product, out, out_stride, to_float, from->form);
  } else if (from->form == ERNN_NIBBLES_OF_BYTES) {
    if (to_float && product->is_any && kernels->any_u8_sums) {
      kernels->any_u8_sums(x, stride, rows, product, (float *)out, out_stride);
    } else if (to_float) {
      kernels->u8_sums(x, stride, rows, product, (float *)out, out_stride);
    } else {
      kernels->u8_product(x, stride, rows, product, (int16_t *)out, out_stride);
    }
  } else if (from->form == ERNN_NIBBLES_OF_PLANES) {
    if (to_float) {
      kernels->planes_sums(x, stride, from->plane, rows, product, (float *)out, out_stride);
    } else {
      kernels->planes_product(x, stride, from->plane, rows, product, (int16_t *)out, out_stride);
    }
  } else if (to_float) {
    kernels->s16_sums(words, stride / 2, rows, product, (float *)out, out_stride);
  } else {
    kernels->s16_product(words, stride / 2, rows, product, (int16_t *)out, out_stride);
  }
}

/* WebAssembly reads 16 bytes at a time, for which the second cache is fast enough: of small weights, parts only
 * cost it calls (a sequence of 128 units takes 1.04 times as long). */
static int is_whole(const ernn_product *product, uint32_t parts) {
#ifdef ERNN_HAS_SIMD128
  if ((size_t)product->rows * product->columns <= 65536) return 1;
#endif
  (void)product;
  return parts == 1;
}

void ernn_multiply_integers(const ernn_kernels *kernels, const ernn_integers *from,
                            const ernn_product *product, uint32_t parts, uint32_t turn,
                            void *out, size_t out_stride, int to_float) {
  if (is_whole(product, parts)) { /* no division: 32-bit ARM has no instruction for one */
    multiply_part(kernels, from, product, out, out_stride, to_float);
    return;
  }
  uint32_t quads = (product->rows + 3) / 4, column_bytes = 4 * quads;
  if (product->is_nibbles) column_bytes = 4 * ((quads + 1) / 2);
  uint32_t width = product->tiles * ERNN_TILE, panels = (product->columns + width - 1) / width;
  for (uint32_t i = 0; i < ERNN_PARTS; i++) {
    uint32_t number = turn & 1u ? ERNN_PARTS - 1 - i : i;
    uint32_t first = panels * number / ERNN_PARTS * width;
    uint32_t end = panels * (number + 1) / ERNN_PARTS * width;
    if (first == end) continue;
    ernn_product part = *product;
    part.panels += (size_t)first * column_bytes;
    part.bias += first;
    part.unsigned_bias += first;
    part.shift += first;
    part.multiplier += first;
    part.output_scale += first;
    part.columns = (end < product->columns ? end : product->columns) - first;
    multiply_part(kernels, from, &part, (uint8_t *)out + first * (to_float ? 4 : 2), out_stride,
                  to_float);
  }
}
