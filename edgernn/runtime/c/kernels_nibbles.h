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

/* Quad `quad` of one row, in one of its planes: of words q + 32768 the high bytes, then the low. */
ERNN_INLINE uint32_t nibble_input(const uint8_t *x, size_t plane, uint32_t quad, const int form,
                                  const int p) {
  uint64_t words;
  if (form != ERNN_NIBBLES_OF_WORDS) return nibble_quad(x + (p ? plane : 0) + 4 * (size_t)quad);
  __builtin_memcpy(&words, x + 8 * (size_t)quad, sizeof words);
  words = (words ^ 0x8000800080008000ull) >> (p ? 0 : 8) & 0x00FF00FF00FF00FFull;
  words = (words | words >> 8) & 0x0000FFFF0000FFFFull;
  return (uint32_t)(words | words >> 16);
}

/* At the end of each round: else gcc copies sums from one register to another, or to memory. */
#if defined(__GNUC__) && defined(__x86_64__)
#define NIBBLE_KEEP(sum) __asm__("" : "+v"(sum))
#else
#define NIBBLE_KEEP(sum) (void)0
#endif

/* Whether the quads at the end have loops of their own: others then need not ask whether there are
 * more. */
#if defined(__x86_64__) && !ERNN_IS_SMALL
#define NIBBLE_TAILS 1
#else
#define NIBBLE_TAILS 0
#endif

/* Rows whose sums of x are kept while all weights pass by. */
enum { NIBBLE_ROWS = 32 };

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
    x += p ? plane : 0;
    for (uint32_t i = 0; i < 4 * quads; i++) sum += x[i];
  }
  return sum;
}

/* Defines nibble_gemm__<isa>, which ERNN_NIBBLE_GEMM makes what the tables hold.  vec: 32-bit sums of some of a tile's columns, `vecs` of them for all
 * 16; block_rows: rows of bytes that share what was unpacked for block_tiles tiles, of two planes
 * half as many; most_tiles: 2 or 4, those that one row of bytes takes.  What the instruction set
 * does is in functions nibble_<what>__<isa>.  A turn is of four quads, so that sums of 16 bits are
 * widened once; quads beyond the last are zeros of x.  With ERNN_SMALL, one block serves words
 * and planes, and rows that are left over take one tile at a time. */
#define ERNN_NIBBLE_KERNELS(target, isa, vec, vecs, block_rows, block_tiles, most_tiles,           \
                            is_offset, has_planes)                                                 \
  /* Four quads of one row in one of its planes, or two with one pack; zeros beyond the last. */   \
  target ERNN_INLINE void nibble_read__##isa(const uint8_t *row, size_t plane, uint32_t quad,      \
                                             uint32_t quads, const int form, const int p,          \
                                             const int packs, const int full, vec *x4) {           \
    if (form == ERNN_NIBBLES_OF_WORDS && (full || quad + 4 <= quads)) {                            \
      const uint8_t *words = row + 8 * (size_t)quad;                                               \
      x4[0] = nibble_plane__##isa(words, NIBBLE_BYTES_OF(p, 0));                                   \
      x4[1] = nibble_plane__##isa(words, NIBBLE_BYTES_OF(p, 1));                                   \
      x4[2] = nibble_plane__##isa(words + 16, NIBBLE_BYTES_OF(p, 0));                              \
      x4[3] = nibble_plane__##isa(words + 16, NIBBLE_BYTES_OF(p, 1));                              \
    } else {                                                                                       \
      ERNN_UNROLL                                                                                  \
      for (uint32_t k = 0; k < 2 * (uint32_t)packs; k++) {                                         \
        int is_there = full || quad + k < quads;                                                   \
        x4[k] = nibble_all__##isa(is_there ? nibble_input(row, plane, quad + k, form, p) : 0);     \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  /* Adds the products of four quads, of which all are there where `full`, or of two. */           \
  target ERNN_INLINE void nibble_turn__##isa(                                                      \
      vec *sums, const uint8_t *x, size_t x_stride, size_t plane, uint32_t quad, uint32_t quads,   \
      const uint8_t *weights, size_t stride, const int form, const int planes, const int m,        \
      const int each, const int packs, const int full) {                                           \
    const uint8_t *next = quad + 2 < quads ? weights + stride : weights;                           \
    vec x4[4][4];                                                                                  \
    ERNN_UNROLL                                                                                    \
    for (int i = 0; i < m * planes; i++) {                                                         \
      const uint8_t *row = x + (size_t)(i / planes) * x_stride;                                    \
      nibble_read__##isa(row, plane, quad, quads, form, i % planes, packs, full, x4[i]);           \
    }                                                                                              \
    ERNN_UNROLL                                                                                    \
    for (int j = 0; j < each; j++) {                                                               \
      vec w[4];                                                                                    \
      nibble_unpack__##isa(weights + 64 / (vecs) * j, &w[0], &w[1]);                               \
      if (packs == 2) nibble_unpack__##isa(next + 64 / (vecs) * j, &w[2], &w[3]);                  \
      ERNN_UNROLL                                                                                  \
      for (int i = 0; i < m * planes; i++) {                                                       \
        sums[i * each + j] = nibble_dot__##isa(sums[i * each + j], x4[i], w, packs);               \
      }                                                                                            \
    }                                                                                              \
    ERNN_UNROLL                                                                                    \
    for (int i = 0; i < m * planes * each; i++) NIBBLE_KEEP(sums[i]);                              \
  }                                                                                                \
  /* inputs: the sums of x. */                                                                     \
  target ERNN_INLINE void nibble_block__##isa(                                                     \
      const uint8_t *x, size_t x_stride, size_t plane, const ernn_product *product,                \
      const uint32_t *inputs, const uint8_t *weights, size_t stride, size_t column, void *out,     \
      size_t out_stride, int to_float, const int form, const int planes, const int m,              \
      const int n) {                                                                               \
    const int each = n * (vecs);                                                                   \
    const uint32_t quads = (product->rows + 3) / 4;                                                \
    vec sums[16];                                                                                  \
    uint32_t quad = 0;                                                                             \
    ERNN_UNROLL                                                                                    \
    for (int i = 0; i < m * planes; i++) {                                                         \
      ERNN_UNROLL                                                                                  \
      for (int j = 0; j < each; j++) sums[i * each + j] = nibble_zero__##isa();                    \
    }                                                                                              \
    for (; quad + (NIBBLE_TAILS ? 4 : 1) <= quads; quad += 4, weights += 2 * stride) {             \
      nibble_turn__##isa(sums, x, x_stride, plane, quad, quads, weights, stride, form, planes, m,  \
                         each, 2, NIBBLE_TAILS);                                                   \
    }                                                                                              \
    if (NIBBLE_TAILS && quad + 2 < quads) {                                                        \
      nibble_turn__##isa(sums, x, x_stride, plane, quad, quads, weights, stride, form, planes, m,  \
                         each, 2, 0);                                                              \
    } else if (NIBBLE_TAILS && quad < quads) {                                                     \
      nibble_turn__##isa(sums, x, x_stride, plane, quad, quads, weights, stride, form, planes, m,  \
                         each, 1, 0);                                                              \
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
      const uint32_t *inputs, const uint8_t *weights, uint32_t tiles, size_t column, uint8_t *out, \
      size_t out_stride, int to_float, const int form, const int planes) {                         \
    const uint32_t most = (block_rows) / (uint32_t)planes;                                         \
    const uint32_t widest = ERNN_IS_SMALL ? 1 : planes == 2 ? 2 : most_tiles;                      \
    const uint32_t wide = block_tiles;                                                             \
    const size_t stride = (size_t)tiles * 64, element = to_float ? 4 : 2;                          \
    uint32_t row = 0;                                                                              \
    for (; row + most <= rows; row += most, inputs += block_rows) {                                \
      const uint8_t *from = x + row * x_stride;                                                    \
      uint8_t *to = out + row * out_stride * element;                                              \
      uint32_t tile = 0;                                                                           \
      for (; tile + wide <= tiles; tile += wide) {                                                 \
        nibble_block__##isa(from, x_stride, plane, product, inputs, weights + 64 * tile, stride,   \
                            column + 16 * tile, to, out_stride, to_float, form, planes,            \
                            (block_rows) / planes, block_tiles);                                   \
      }                                                                                            \
      for (; (block_tiles) > 1 && tile < tiles; tile++) {                                          \
        nibble_block__##isa(from, x_stride, plane, product, inputs, weights + 64 * tile, stride,   \
                            column + 16 * tile, to, out_stride, to_float, form, planes,            \
                            (block_rows) / planes, 1);                                             \
      }                                                                                            \
    }                                                                                              \
    for (; most > 1 && row < rows; row++, inputs += planes) {                                      \
      const uint8_t *from = x + row * x_stride;                                                    \
      uint8_t *to = out + row * out_stride * element;                                              \
      for (uint32_t tile = 0; tile < tiles; tile += widest) {                                      \
        uint32_t taken = tiles - tile < widest ? tiles - tile : widest;                            \
        const uint8_t *w = weights + 64 * tile;                                                    \
        size_t at = column + 16 * tile;                                                            \
        if (widest == 1 || taken == 1) {                                                           \
          nibble_block__##isa(from, 0, plane, product, inputs, w, stride, at, to, 0, to_float,     \
                              form, planes, 1, 1);                                                 \
        } else if (taken == 2) {                                                                   \
          nibble_block__##isa(from, 0, plane, product, inputs, w, stride, at, to, 0, to_float,     \
                              form, planes, 1, 2);                                                 \
        } else if ((most_tiles) == 4 && planes == 1 && taken == 3) {                               \
          nibble_block__##isa(from, 0, plane, product, inputs, w, stride, at, to, 0, to_float,     \
                              form, planes, 1, 3);                                                 \
        } else if ((most_tiles) == 4 && planes == 1) {                                             \
          nibble_block__##isa(from, 0, plane, product, inputs, w, stride, at, to, 0, to_float,     \
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
    for (uint32_t i = 0; i < rows * (uint32_t)planes; i++) {                                       \
      const uint8_t *row = x + i / (uint32_t)planes * x_stride;                                    \
      const int p = (int)(i % (uint32_t)planes);                                                   \
      inputs[i] = is_offset ? nibble_input_sum(row, plane, quads, form, p) : 0;                    \
    }                                                                                              \
    for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {                             \
      uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;            \
      const uint8_t *weights = (const uint8_t *)product->panels +                                  \
                               (size_t)panel * 64 * nibble_packs(product->rows);                   \
      nibble_panel__##isa(x, x_stride, plane, rows, product, inputs, weights, taken,               \
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
