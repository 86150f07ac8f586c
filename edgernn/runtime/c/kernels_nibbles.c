/* kernels_nibbles.c: weights of 4 bits in plain C99.  Defines what the other kernels compute. */

#include "ernn_fixed_point.h"
#include "ernn_kernels.h"
#include "kernels_portable.h"

#if ERNN_HAS_NIBBLES

/* Number `at` of a row. */
static int32_t number_at(const uint8_t *x, size_t plane, size_t at, ernn_nibble_form form) {
  if (form == ERNN_NIBBLES_OF_WORDS) return ((const int16_t *)(const void *)x)[at];
  if (form == ERNN_NIBBLES_OF_PLANES) return (x[at] << 8 | x[plane + at]) - 32768;
  return x[at] - 128;
}

/* One row and one tile, sums in the order of lanes. */
static void nibble_sums(const uint8_t *from, size_t plane, ernn_nibble_form form,
                        const ernn_product *product, uint32_t tile, int32_t *sums) {
  uint32_t tiles = product->columns / ERNN_TILE, panel = tile / product->tiles * product->tiles;
  uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
  uint32_t quads = (product->rows + 3) / 4, packs = (quads + 1) / 2;
  size_t stride = (size_t)in_panel * 4 * ERNN_TILE;
  const uint8_t *weights = (const uint8_t *)product->panels +
                           (size_t)panel * ERNN_TILE * 4 * packs +
                           (size_t)(tile - panel) * 4 * ERNN_TILE;
  uint32_t totals[ERNN_TILE]; /* unsigned: a hostile file only wraps them */
  for (uint32_t i = 0; i < ERNN_TILE; i++) totals[i] = 0;
  for (uint32_t quad = 0; quad < quads; quad++) {
    const uint8_t *pack = weights + quad / 2 * stride;
    uint32_t shift = quad % 2 * 4;
    int32_t x[4];
    for (uint32_t k = 0; k < 4; k++) x[k] = number_at(from, plane, 4 * (size_t)quad + k, form);
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      const uint8_t *of = pack + 4 * i;
      int32_t sum = 0;
      for (uint32_t k = 0; k < 4; k++) sum += x[k] * ((int32_t)(of[k] >> shift & 15) - 8);
      totals[i] += (uint32_t)sum;
    }
  }
  const int32_t *bias = product->bias + tile * ERNN_TILE;
  for (uint32_t i = 0; i < ERNN_TILE; i++) sums[i] = (int32_t)((uint32_t)bias[i] + 16 * totals[i]);
}

void ernn_nibble_gemm__portable(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                const ernn_product *product, void *out, size_t out_stride,
                                int to_float, ernn_nibble_form form) {
  for (uint32_t tile = 0; tile < product->columns / ERNN_TILE; tile++) {
    for (uint32_t row = 0; row < rows; row++) {
      size_t at = row * out_stride + tile * ERNN_TILE;
      int32_t sums[ERNN_TILE];
      nibble_sums(x + row * x_stride, plane, form, product, tile, sums);
      if (to_float) {
        ernn_tile_to_float(product, tile, sums, (float *)out + at);
      } else {
        ernn_tile_requantized(product, tile, sums, (int16_t *)out + at);
      }
    }
  }
}

#else
typedef int ernn_no_nibbles; /* C99 wants something in every file */
#endif
