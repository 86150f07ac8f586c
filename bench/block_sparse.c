/* block_sparse.c: what skipping blocks of zeros would gain.  A prototype to measure, not part of the
 * library: docs/int4.md says why.
 *
 * Blocks are 4 rows x 16 columns, a vector of 64 bytes of the library's own layout.  The product of a
 * step's states with a recurrent kernel [units, 3 * units] is timed as the library has it, and with
 * only the blocks that are there: hot, and after 48 MB of other memory.  Sums must be equal. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ernn_kernels.h"
#include "kernels_avx512.h"

enum { ROUNDS = 60, HOT_CALLS = 200, COLD_ROUNDS = 40 };
#define OTHERS ((size_t)48 << 20)

typedef struct sparse {
  int8_t *blocks;    /* those that are there, tile by tile */
  uint16_t *offsets; /* of the rows of each in x */
  uint32_t *ends;    /* of each tile: index of the block behind its last */
} sparse;

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

/* Eight sums in flight hide the latency of the multiplication. */
AVX512 static void sparse_product(const uint8_t *x, const ernn_product *product, const sparse *made,
                                  int16_t *out) {
  uint32_t block = 0;
  for (uint32_t tile = 0; tile < product->columns / ERNN_TILE; tile++) {
    size_t column = (size_t)tile * ERNN_TILE;
    __m512i sums[8];
    sums[0] = begin_of(product, column, 1);
    for (int i = 1; i < 8; i++) sums[i] = _mm512_setzero_si512();
    uint32_t end = made->ends[tile];
    for (; block + 8 <= end; block += 8) {
      ERNN_UNROLL
      for (int i = 0; i < 8; i++) {
        __m512i w = load_bytes(made->blocks + 64 * (size_t)(block + (uint32_t)i));
        __m512i quad = broadcast_quad__avx512(x + made->offsets[block + (uint32_t)i]);
        sums[i] = _mm512_dpbusd_epi32(sums[i], quad, w);
      }
    }
    for (; block < end; block++) {
      __m512i quad = broadcast_quad__avx512(x + made->offsets[block]);
      sums[0] = _mm512_dpbusd_epi32(sums[0], quad, load_bytes(made->blocks + 64 * (size_t)block));
    }
    for (int i = 1; i < 8; i++) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    finish_tile__avx512(sums[0], product, column, out, column, 0);
  }
}

static void *zeroed(size_t size) {
  void *made = aligned_alloc(64, (size + 63) / 64 * 64);
  if (!made) abort();
  memset(made, 0, (size + 63) / 64 * 64);
  return made;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(uint32_t units, double zeros, volatile uint8_t *others) {
  const uint32_t columns = 3 * units, quads = units / 4, tiles = columns / ERNN_TILE, panel = 4;
  int8_t *panels = zeroed((size_t)units * columns), *blocks = zeroed((size_t)units * columns);
  uint16_t *offsets = zeroed((size_t)tiles * quads * 2);
  uint32_t *ends = zeroed(tiles * 4);
  int32_t *bias = zeroed(columns * 4), *shift = zeroed(columns * 4);
  int16_t *multiplier = zeroed(columns * 2), *dense_out = zeroed(columns * 2),
          *out = zeroed(columns * 2);
  uint8_t *x = zeroed(units);
  for (uint32_t i = 0; i < units; i++) x[i] = (uint8_t)rand();
  for (uint32_t i = 0; i < columns; i++) shift[i] = 6, multiplier[i] = 20000;
  uint32_t count = 0;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t first = tile / panel * panel, wide = tiles - first < panel ? tiles - first : panel;
    for (uint32_t quad = 0; quad < quads; quad++) {
      if ((double)rand() / RAND_MAX < zeros) continue;
      int8_t *to = panels + ((size_t)first * quads + (size_t)quad * wide + tile - first) * 64;
      for (int i = 0; i < 64; i++) to[i] = (int8_t)(rand() % 255 - 127);
      memcpy(blocks + 64 * (size_t)count, to, 64);
      offsets[count++] = (uint16_t)(4 * quad);
    }
    ends[tile] = count;
  }
  ernn_product product = {.panels = panels, .bias = bias, .unsigned_bias = bias, .shift = shift,
                          .multiplier = multiplier, .rows = units, .columns = columns,
                          .tiles = panel};
  sparse made = {blocks, offsets, ends};
  double hot[2] = {1e9, 1e9}, cold[2][COLD_ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    for (int kind = 0; kind < 2; kind++) {
      double began = now_us();
      for (int i = 0; i < HOT_CALLS; i++) {
        if (kind) sparse_product(x, &product, &made, out);
        else ernn_u8_product__avx512vnni(x, units, 1, &product, dense_out, columns);
      }
      double each = (now_us() - began) / HOT_CALLS;
      if (each < hot[kind]) hot[kind] = each;
    }
  }
  for (int round = 0; round < COLD_ROUNDS; round++) {
    for (int kind = 0; kind < 2; kind++) {
      for (size_t i = 0; i < OTHERS; i += 64) others[i]++;
      double began = now_us();
      if (kind) sparse_product(x, &product, &made, out);
      else ernn_u8_product__avx512vnni(x, units, 1, &product, dense_out, columns);
      cold[kind][round] = now_us() - began;
    }
  }
  if (memcmp(out, dense_out, columns * 2) != 0) {
    fprintf(stderr, "the products differ\n");
    exit(1);
  }
  for (int kind = 0; kind < 2; kind++) qsort(cold[kind], COLD_ROUNDS, sizeof(double), compare);
  double median[2] = {cold[0][COLD_ROUNDS / 2], cold[1][COLD_ROUNDS / 2]};
  printf("%u units, %.0f %% zeros: hot %.2f -> %.2f us (%.2f x), cold %.1f -> %.1f us (%.2f x), "
         "bytes %.0f %%\n",
         units, 100 * zeros, hot[0], hot[1], hot[0] / hot[1], median[0], median[1],
         median[0] / median[1], 100.0 * count * 66 / ((double)units * columns));
  free(panels), free(blocks), free(offsets), free(ends), free(bias), free(shift);
  free(multiplier), free(dense_out), free(out), free(x);
}

int main(void) {
  uint8_t *others = zeroed(OTHERS);
  const uint32_t units[] = {128, 256, 512, 656};
  const double zeros[] = {0.5, 0.6, 0.75};
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 3; j++) measure(units[i], zeros[j], others);
  }
  free(others);
  return 0;
}
