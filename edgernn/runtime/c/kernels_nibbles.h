/* kernels_nibbles.h: products whose weights have 4 bits, two to a byte: the loops around what each
 * instruction set does.
 *
 * A stored nibble is n + 8, the weight is 16 n: docs/native-format.md, "Nibbles".  With unsigned
 * nibbles no sum of two products of bytes can saturate.  Where the instructions multiply unsigned
 * nibbles, sum(u * 16 n) = 16 * (sum(u * (n + 8)) - 8 * sum(u)); `is_offset` says so. */
#ifndef KERNELS_NIBBLES_H
#define KERNELS_NIBBLES_H

#include "ernn_kernels.h"

/* Two quads of weights in the bytes of one: quads of a row of the panel, rounded up. */
ERNN_INLINE uint32_t nibble_packs(uint32_t rows) { return (rows + 7) / 8; }

ERNN_INLINE uint32_t nibble_quad(const uint8_t *x) {
  uint32_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return quad;
}

/* The quads of a row that are fewer than four, with zeros behind them: plane by plane, or as words. */
#define NIBBLE_LAST_BYTES 32
ERNN_INLINE void nibble_last_quads(const uint8_t *x, size_t plane, uint32_t quads, const int form,
                                   uint8_t *last) {
  const uint32_t first = quads / 4 * 4;
  for (uint32_t k = 0; k < 4; k++) {
    int is_there = k < quads % 4;
    if (form == ERNN_NIBBLES_OF_WORDS) {
      uint64_t words = 0x8000800080008000ull; /* which both planes have as zeros */
      if (is_there) __builtin_memcpy(&words, x + 8 * (size_t)(first + k), sizeof words);
      __builtin_memcpy(last + 8 * k, &words, sizeof words);
    } else {
      uint32_t high = is_there ? nibble_quad(x + 4 * (size_t)(first + k)) : 0, low = 0;
      if (is_there && plane) low = nibble_quad(x + plane + 4 * (size_t)(first + k));
      __builtin_memcpy(last + 4 * k, &high, sizeof high);
      __builtin_memcpy(last + 16 + 4 * k, &low, sizeof low);
    }
  }
}

/* At the end of each round: else gcc copies sums from one register to another, or to memory. */
#if defined(__GNUC__) && defined(__x86_64__)
#define NIBBLE_KEEP(sum) __asm__("" : "+v"(sum))
#else
#define NIBBLE_KEEP(sum) (void)0
#endif

/* Rows whose sums of x are kept while all weights pass by. */
enum { NIBBLE_ROWS = 16 };

/* Which bytes of eight words are plane p of the first (0) or the second (1) four. */
#define NIBBLE_BYTES_OF(p, which) (((p) ? 0x06040200u : 0x07050301u) + ((which) ? 0x08080808u : 0u))

/* The sum of a row's bytes in one of its planes. */
ERNN_INLINE uint32_t nibble_input_sum(const uint8_t *x, size_t plane, uint32_t quads,
                                      const int form, const int p) {
  uint32_t sum = 0;
  if (form == ERNN_NIBBLES_OF_WORDS) {
    for (uint32_t i = 0; i < 4 * quads; i++) {
      sum += p ? x[2 * (size_t)i] : (uint32_t)(x[2 * (size_t)i + 1] ^ 0x80);
    }
  } else {
    uint32_t i = 0;
    x += p ? plane : 0;
#ifdef ERNN_HAS_X86 /* each part of a product adds them up again */
    __m128i sums = _mm_setzero_si128();
    for (; i + 16 <= 4 * quads; i += 16) {
      __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
      sums = _mm_add_epi32(sums, _mm_sad_epu8(bytes, _mm_setzero_si128()));
    }
    sum = (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_srli_si128(sums, 8)));
#endif
    for (; i < 4 * quads; i++) sum += x[i];
  }
  return sum;
}

/* Of two planes half as many rows share a block, but never none. */
#define NIBBLE_BLOCK_ROWS(block_rows, planes) ((block_rows) > (planes) ? (block_rows) / (planes) : 1)

/* Defines nibble_gemm__<isa>, which ERNN_NIBBLE_GEMM makes what the tables hold.  vec: 32-bit sums of
 * some of a tile's columns, `vecs` of them for all 16; block_rows: rows of bytes that share what was
 * unpacked for block_tiles tiles, of two planes half as many; most_tiles: 2 or 4, those that one row of
 * bytes takes.  What the instruction set does is in functions nibble_<what>__<isa>.  A turn is of four
 * quads, so that sums of 16 bits are widened once; quads beyond the last are zeros of x.  With
 * ERNN_SMALL, one block serves words and planes, and rows that are left over take one tile at a time. */
#define ERNN_NIBBLE_KERNELS(target, isa, vec, vecs, block_rows, block_tiles, most_tiles,           \
                            is_offset, has_planes)                                                 \
  /* inputs: the sums of x; last: the last quads of each row. */                                   \
  target ERNN_INLINE void nibble_block__##isa(                                                     \
      const uint8_t *x, size_t x_stride, size_t plane, const ernn_product *product,                \
      const uint32_t *inputs, const uint8_t *last, const uint8_t *weights, size_t stride,          \
      size_t column, void *out, size_t out_stride, int to_float, const int form, const int planes, \
      const int m, const int n) {                                                                  \
    const int each = n * (vecs);                                                                   \
    const uint32_t quads = (product->rows + 3) / 4;                                                \
    vec sums[16], x4[4][4];                                                                        \
    ERNN_UNROLL                                                                                    \
    for (int i = 0; i < m * planes; i++) {                                                         \
      ERNN_UNROLL                                                                                  \
      for (int j = 0; j < each; j++) sums[i * each + j] = nibble_zero__##isa();                    \
    }                                                                                              \
    for (uint32_t quad = 0; quad < quads; quad += 4, weights += 2 * stride) {                      \
      const uint8_t *next = quad + 2 < quads ? weights + stride : weights;                         \
      const int is_last = quad + 4 > quads;                                                        \
      ERNN_UNROLL                                                                                  \
      for (int i = 0; i < m * planes; i++) {                                                       \
        const uint8_t *row = x + (size_t)(i / planes) * x_stride;                                  \
        const uint8_t *end = last + NIBBLE_LAST_BYTES * (i / planes);                              \
        const int p = i % planes;                                                                  \
        if (form == ERNN_NIBBLES_OF_WORDS) {                                                       \
          const uint8_t *words = is_last ? end : row + 8 * (size_t)quad;                           \
          x4[i][0] = nibble_plane__##isa(words, NIBBLE_BYTES_OF(p, 0));                            \
          x4[i][1] = nibble_plane__##isa(words, NIBBLE_BYTES_OF(p, 1));                            \
          x4[i][2] = nibble_plane__##isa(words + 16, NIBBLE_BYTES_OF(p, 0));                       \
          x4[i][3] = nibble_plane__##isa(words + 16, NIBBLE_BYTES_OF(p, 1));                       \
        } else {                                                                                   \
          const uint8_t *bytes = row + (p ? plane : 0) + 4 * (size_t)quad;                         \
          if (is_last) bytes = end + 16 * p;                                                       \
          ERNN_UNROLL                                                                              \
          for (int k = 0; k < 4; k++) x4[i][k] = nibble_all__##isa(nibble_quad(bytes + 4 * k));    \
        }                                                                                          \
      }                                                                                            \
      ERNN_UNROLL                                                                                  \
      for (int j = 0; j < each; j++) {                                                             \
        vec w[4];                                                                                  \
        nibble_unpack__##isa(weights + 64 / (vecs) * j, &w[0], &w[1]);                             \
        nibble_unpack__##isa(next + 64 / (vecs) * j, &w[2], &w[3]);                                \
        ERNN_UNROLL                                                                                \
        for (int i = 0; i < m * planes; i++) {                                                     \
          sums[i * each + j] = nibble_dot__##isa(sums[i * each + j], x4[i], w);                    \
        }                                                                                          \
      }                                                                                            \
      ERNN_UNROLL                                                                                  \
      for (int i = 0; i < m * planes * each; i++) NIBBLE_KEEP(sums[i]);                            \
    }                                                                                              \
    ERNN_UNROLL                                                                                    \
    for (int i = 0; i < m; i++) {                                                                  \
      ERNN_UNROLL                                                                                  \
      for (int tile = 0; tile < n; tile++) {                                                       \
        size_t at = column + 16 * (size_t)tile;                                                    \
        vec of[vecs];                                                                              \
        ERNN_UNROLL                                                                                \
        for (int j = 0; j < (vecs); j++) {                                                         \
          size_t lane = at + 16 / (vecs) * (size_t)j;                                              \
          int place = i * planes * each + tile * (vecs) + j;                                       \
          vec begin = nibble_load__##isa(product->unsigned_bias + lane);                           \
          vec bias = nibble_load__##isa(product->bias + lane);                                     \
          vec sum = nibble_weighted__##isa(sums[place], inputs[i * planes]);                       \
          if (planes == 2) { /* 32768 times the weights are taken off, not 128 */                  \
            vec below = nibble_weighted__##isa(sums[place + each], inputs[i * planes + 1]);        \
            vec taken = nibble_times256__##isa(nibble_sub__##isa(begin, bias));                    \
            sum = nibble_add__##isa(nibble_times256__##isa(sum), below);                           \
            begin = nibble_add__##isa(bias, taken);                                                \
          }                                                                                        \
          of[j] = nibble_add__##isa(begin, sum);                                                   \
        }                                                                                          \
        nibble_finish__##isa(of, product, at, out, (size_t)i * out_stride + at, to_float);         \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  /* All rows of one form times the tiles of one panel. */                                         \
  target ERNN_INLINE void nibble_panel__##isa(                                                     \
      const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows, const ernn_product *product, \
      const uint32_t *inputs, const uint8_t *last, const uint8_t *weights, uint32_t tiles,         \
      size_t column, uint8_t *out, size_t out_stride, int to_float, const int form,                \
      const int planes) {                                                                          \
    const uint32_t most = (uint32_t)NIBBLE_BLOCK_ROWS(block_rows, planes);                         \
    const uint32_t widest = ERNN_IS_SMALL ? 1 : planes == 2 ? 2 : most_tiles;                      \
    const uint32_t wide = block_tiles;                                                             \
    const size_t stride = (size_t)tiles * 64, element = to_float ? 4 : 2;                          \
    uint32_t row = 0;                                                                              \
    for (; row + most <= rows; row += most) {                                                      \
      const uint8_t *from = x + row * x_stride;                                                    \
      uint8_t *to = out + row * out_stride * element;                                              \
      const uint32_t *sums = inputs + row * (uint32_t)planes;                                      \
      const uint8_t *ends = last + NIBBLE_LAST_BYTES * (size_t)row;                                \
      uint32_t tile = 0;                                                                           \
      for (; tile + wide <= tiles; tile += wide) {                                                 \
        nibble_block__##isa(from, x_stride, plane, product, sums, ends, weights + 64 * tile, stride,\
                            column + 16 * tile, to, out_stride, to_float, form, planes,            \
                            NIBBLE_BLOCK_ROWS(block_rows, planes), block_tiles);                   \
      }                                                                                            \
      for (; (block_tiles) > 1 && tile < tiles; tile++) {                                          \
        nibble_block__##isa(from, x_stride, plane, product, sums, ends, weights + 64 * tile, stride,\
                            column + 16 * tile, to, out_stride, to_float, form, planes,            \
                            NIBBLE_BLOCK_ROWS(block_rows, planes), 1);                             \
      }                                                                                            \
    }                                                                                              \
    for (; most > 1 && row < rows; row++) {                                                        \
      const uint8_t *from = x + row * x_stride;                                                    \
      uint8_t *to = out + row * out_stride * element;                                              \
      const uint32_t *sums = inputs + row * (uint32_t)planes;                                      \
      const uint8_t *ends = last + NIBBLE_LAST_BYTES * (size_t)row;                                \
      for (uint32_t tile = 0; tile < tiles; tile += widest) {                                      \
        uint32_t taken = tiles - tile < widest ? tiles - tile : widest;                            \
        const uint8_t *w = weights + 64 * tile;                                                    \
        size_t at = column + 16 * tile;                                                            \
        if (widest == 1 || taken == 1) {                                                           \
          nibble_block__##isa(from, 0, plane, product, sums, ends, w, stride, at, to, 0, to_float, \
                              form, planes, 1, 1);                                                 \
        } else if (taken == 2) {                                                                   \
          nibble_block__##isa(from, 0, plane, product, sums, ends, w, stride, at, to, 0, to_float, \
                              form, planes, 1, 2);                                                 \
        } else if ((most_tiles) == 4 && planes == 1 && taken == 3) {                               \
          nibble_block__##isa(from, 0, plane, product, sums, ends, w, stride, at, to, 0, to_float, \
                              form, planes, 1, 3);                                                 \
        } else if ((most_tiles) == 4 && planes == 1) {                                             \
          nibble_block__##isa(from, 0, plane, product, sums, ends, w, stride, at, to, 0, to_float, \
                              form, planes, 1, 4);                                                 \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  /* Rows of one form times all panels. */                                                         \
  target ERNN_INLINE void nibble_rows__##isa(                                                      \
      const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows, const ernn_product *product, \
      uint8_t *out, size_t out_stride, int to_float, const int form, const int planes) {           \
    const uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;          \
    uint32_t inputs[2 * NIBBLE_ROWS];                                                              \
    uint8_t last[NIBBLE_LAST_BYTES * NIBBLE_ROWS];                                                 \
    for (uint32_t i = 0; i < rows && quads % 4 != 0; i++) {                                        \
      nibble_last_quads(x + i * x_stride, plane, quads, form, last + NIBBLE_LAST_BYTES * i);       \
    }                                                                                              \
    for (uint32_t i = 0; i < rows * (uint32_t)planes; i++) {                                       \
      const uint8_t *row = x + i / (uint32_t)planes * x_stride;                                    \
      const int p = (int)(i % (uint32_t)planes);                                                   \
      inputs[i] = is_offset ? nibble_input_sum(row, plane, quads, form, p) : 0;                    \
    }                                                                                              \
    for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {                             \
      uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;            \
      const uint8_t *weights = (const uint8_t *)product->panels +                                  \
                               (size_t)panel * 64 * nibble_packs(product->rows);                   \
      nibble_panel__##isa(x, x_stride, plane, rows, product, inputs, last, weights, taken,               \
                          (size_t)panel * ERNN_TILE, out, out_stride, to_float, form, planes);     \
    }                                                                                              \
  }                                                                                                \
  target ERNN_INLINE void nibble_gemm__##isa(const uint8_t *x, size_t x_stride, size_t plane,      \
                                             uint32_t rows, const ernn_product *product,           \
                                             void *out, size_t out_stride, int to_float,           \
                                             ernn_nibble_form form) {                              \
    for (uint32_t row = 0; row < rows; row += NIBBLE_ROWS) {                                       \
      uint32_t taken = rows - row < NIBBLE_ROWS ? rows - row : NIBBLE_ROWS;                        \
      const uint8_t *from = x + row * x_stride;                                                    \
      uint8_t *to = (uint8_t *)out + row * out_stride * (to_float ? 4 : 2);                        \
      if (form == ERNN_NIBBLES_OF_BYTES) {                                                         \
        nibble_rows__##isa(from, x_stride, plane, taken, product, to, out_stride, to_float,        \
                           ERNN_NIBBLES_OF_BYTES, 1);                                              \
      } else if (has_planes && !ERNN_IS_SMALL && form == ERNN_NIBBLES_OF_PLANES) {                 \
        nibble_rows__##isa(from, x_stride, plane, taken, product, to, out_stride, to_float,        \
                           ERNN_NIBBLES_OF_PLANES, 2);                                             \
      } else {                                                                                     \
        nibble_rows__##isa(from, x_stride, plane, taken, product, to, out_stride, to_float,        \
                           has_planes && ERNN_IS_SMALL ? (int)form : ERNN_NIBBLES_OF_WORDS, 2);    \
      }                                                                                            \
    }                                                                                              \
  }

#define ERNN_NIBBLE_GEMM(target, isa)                                                              \
  target void ernn_nibble_gemm__##isa(const uint8_t *x, size_t x_stride, size_t plane,             \
                                      uint32_t rows, const ernn_product *product, void *out,       \
                                      size_t out_stride, int to_float, ernn_nibble_form form) {    \
    nibble_gemm__##isa(x, x_stride, plane, rows, product, out, out_stride, to_float, form);        \
  }

#endif
