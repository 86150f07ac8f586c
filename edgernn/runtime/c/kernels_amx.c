/* kernels_amx.c: x86 with AMX, whose tiles multiply 16 rows at once (Intel servers from 2023).
 *
 * A tile of weights is what the panels of ernn_product already hold: 16 quads of rows, each of 16
 * columns of 4 bytes.  Few rows, and quads beyond a multiple of 16, are left to VNNI. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_AMX

#include "kernels_avx512.h"

#define AMX ERNN_TARGET(AVX512_FEATURES ",amx-tile,amx-int8")

enum { ROWS = 16, MOST_QUADS = 16, ROW_BYTES = 64, FEWEST_ROWS = 5, FEWEST_QUADS = 8 };

/* Instructions by hand: compilers' intrinsics do not say what they read and write. */
typedef struct tile_shapes {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_shapes;

typedef struct tile_sums {
  int32_t of[ROWS][16];
} tile_sums;

#define CONFIGURE(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(shapes))
#define RELEASE() __asm__ volatile("tilerelease")
#define ZERO(t) __asm__ volatile("tilezero %%tmm" #t : :)
#define LOAD(t, from, stride)                                                                      \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(from), "r"(stride) : "memory")
#define STORE(t, sums)                                                                             \
  __asm__ volatile("tilestored %%tmm" #t ", (%1,%2,1)"                                             \
                   : "=m"(sums)                                                                    \
                   : "r"(&(sums)), "r"((size_t)ROW_BYTES))
/* to += bytes * weights */
#define MULTIPLY(to, bytes, weights)                                                               \
  __asm__ volatile("tdpbusd %%tmm" #weights ", %%tmm" #bytes ", %%tmm" #to : :)

/* Rows [0, rows) of x and what is computed of them. */
typedef struct amx_block {
  const uint8_t *x;
  size_t x_stride, plane;
  uint8_t *out;
  size_t out_stride;
  uint32_t rows;
  const ernn_product *product;
  uint32_t quads, at_once, done; /* all; those of a tile; those that tiles multiply */
} amx_block;

/* The sums of rows [first, first + count) and one tile: those of quads beyond `done` are added, and
 * with two planes, `low` are the sums of the second. */
AMX ERNN_INLINE void finish(const amx_block *of, const tile_sums *sums, const tile_sums *low,
                            uint32_t first, uint32_t count, const int8_t *weights, size_t stride,
                            size_t column, const int to_float, const int planes) {
  const uint32_t done = of->done, left = of->quads - done;
  const size_t x_stride = of->x_stride, out_stride = of->out_stride, plane = of->plane;
  const uint8_t *x = of->x + first * x_stride + 4 * (size_t)done;
  uint8_t *out = of->out; /* of what is read of `of`, bytes that are written might change anything */
  const __m512i begin = begin_of(of->product, column, planes);
  const tile_end end = tile_end_of(of->product, column, to_float);
  size_t at = first * out_stride + column;
  weights += done * stride;
  for (uint32_t row = 0; row < count; row++, x += x_stride, at += out_stride) {
    __m512i sum = load_bytes(sums->of[row]);
    __m512i second = planes == 2 ? load_bytes(low->of[row]) : _mm512_setzero_si512();
    for (uint32_t quad = 0; quad < left; quad++) {
      __m512i w = load_bytes(weights + quad * stride);
      sum = _mm512_dpbusd_epi32(sum, broadcast_quad__avx512(x + 4 * (size_t)quad), w);
      if (planes == 1) continue;
      second = _mm512_dpbusd_epi32(second, broadcast_quad__avx512(x + plane + 4 * (size_t)quad), w);
    }
    if (planes == 2) sum = _mm512_add_epi32(_mm512_slli_epi32(sum, 8), second);
    end_tile(_mm512_add_epi32(sum, begin), &end, out, at, to_float);
  }
}

/* 16 to 32 rows, or the two planes of up to 16, times one or two tiles. */
AMX ERNN_INLINE void two_by_two(const amx_block *of, const int8_t *weights, size_t stride,
                                size_t column, const int to_float, const int planes, const int n) {
  const uint8_t *x = of->x;
  size_t second = planes == 2 ? of->plane : ROWS * of->x_stride;
  ZERO(0);
  ZERO(1);
  ZERO(2);
  ZERO(3);
  for (uint32_t quad = 0; quad < of->done; quad += of->at_once, x += 4 * (size_t)of->at_once) {
    const int8_t *w = weights + quad * stride;
    LOAD(4, x, of->x_stride);
    LOAD(6, w, stride);
    MULTIPLY(0, 4, 6);
    LOAD(5, x + second, of->x_stride);
    MULTIPLY(1, 5, 6);
    if (n == 1) continue;
    LOAD(7, w + 64, stride);
    MULTIPLY(2, 4, 7);
    MULTIPLY(3, 5, 7);
  }
  uint32_t first = of->rows < ROWS ? of->rows : ROWS;
  for (int j = 0; j < n; j++) {
    tile_sums sums, low;
    const int8_t *w = weights + 64 * j;
    size_t at = column + 16 * (size_t)j;
    if (j == 0) {
      STORE(0, sums);
      STORE(1, low);
    } else {
      STORE(2, sums);
      STORE(3, low);
    }
    finish(of, &sums, &low, 0, first, w, stride, at, to_float, planes);
    if (planes == 2) continue;
    finish(of, &low, &low, ROWS, of->rows - ROWS, w, stride, at, to_float, planes);
  }
}

/* Up to 16 rows times the tiles of a panel. */
AMX ERNN_INLINE void one_by_four(const amx_block *of, const int8_t *weights, size_t stride,
                                 size_t column, const int to_float, const int n) {
  const uint8_t *x = of->x;
  ZERO(0);
  ZERO(1);
  ZERO(2);
  ZERO(3);
  for (uint32_t quad = 0; quad < of->done; quad += of->at_once, x += 4 * (size_t)of->at_once) {
    const int8_t *w = weights + quad * stride;
    LOAD(4, x, of->x_stride);
    LOAD(6, w, stride);
    MULTIPLY(0, 4, 6);
    if (n > 1) {
      LOAD(7, w + 64, stride);
      MULTIPLY(1, 4, 7);
    }
    if (n > 2) {
      LOAD(6, w + 128, stride);
      MULTIPLY(2, 4, 6);
    }
    if (n > 3) {
      LOAD(7, w + 192, stride);
      MULTIPLY(3, 4, 7);
    }
  }
  for (int j = 0; j < n; j++) {
    tile_sums sums;
    switch (j) {
      case 0: STORE(0, sums); break;
      case 1: STORE(1, sums); break;
      case 2: STORE(2, sums); break;
      default: STORE(3, sums);
    }
    finish(of, &sums, &sums, 0, of->rows, weights + 64 * j, stride, column + 16 * (size_t)j,
           to_float, 1);
  }
}

AMX ERNN_INLINE void panel_of(const amx_block *of, const int8_t *weights, uint32_t tiles,
                              size_t column, const int to_float, const int planes) {
  size_t stride = (size_t)tiles * 64;
  if (planes == 1 && of->rows <= ROWS) {
    switch (tiles) {
      case 1: one_by_four(of, weights, stride, column, to_float, 1); break;
      case 2: one_by_four(of, weights, stride, column, to_float, 2); break;
      case 3: one_by_four(of, weights, stride, column, to_float, 3); break;
      default: one_by_four(of, weights, stride, column, to_float, 4);
    }
    return;
  }
  for (; tiles >= 2; tiles -= 2, weights += 128, column += 32) {
    two_by_two(of, weights, stride, column, to_float, planes, 2);
  }
  if (tiles) two_by_two(of, weights, stride, column, to_float, planes, 1);
}

AMX ERNN_INLINE void configure(const amx_block *of, const int planes) {
  tile_shapes shapes = {.palette = 1};
  uint32_t first = of->rows < ROWS ? of->rows : ROWS;
  uint32_t second = planes == 2 ? of->rows : of->rows - first;
  int is_alone = planes == 1 && of->rows <= ROWS;
  for (int i = 0; i < 8; i++) {
    shapes.row_bytes[i] = ROW_BYTES;
    shapes.rows[i] = (uint8_t)(i % 2 == 0 || is_alone ? first : second);
  }
  shapes.row_bytes[4] = shapes.row_bytes[5] = (uint16_t)(4 * of->at_once);
  shapes.rows[6] = shapes.rows[7] = (uint8_t)of->at_once; /* weights */
  CONFIGURE(shapes);
}

/* How many quads a tile takes, so that few are left over. */
static uint32_t quads_at_once(uint32_t quads) {
  uint32_t fewer = quads / MOST_QUADS, more = fewer + 1;
  if (fewer == 0) return quads;
  uint32_t rest = quads % more; /* of `more` tiles that are not full */
  return quads % MOST_QUADS <= rest + 1 ? MOST_QUADS : quads / more;
}

/* All rows, in blocks of one size and what is left.  A panel's weights stay in the first cache while
 * the blocks of rows pass by.  Returns the rows that are done: the rest is too few. */
AMX ERNN_INLINE uint32_t gemm(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                              const ernn_product *product, uint8_t *out, size_t out_stride,
                              const int to_float, const int planes) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  const uint32_t most = planes == 2 ? ROWS : 2 * ROWS;
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4, row = 0;
  if (quads < FEWEST_QUADS || rows < FEWEST_ROWS) return 0;
  uint32_t at_once = quads_at_once(quads);
  while (rows - row >= FEWEST_ROWS) {
    uint32_t size = rows - row < most ? rows - row : most, end = row + (rows - row) / size * size;
    amx_block of = {NULL,    x_stride, plane,   NULL,  out_stride,
                size, product,  quads, at_once, quads / at_once * at_once};
    configure(&of, planes);
    for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
      uint32_t width = tiles - panel < product->tiles ? tiles - panel : product->tiles;
      for (uint32_t at = row; at < end; at += size) {
        of.x = x + at * x_stride;
        of.out = out + at * out_stride * element;
        panel_of(&of, product->panels + (size_t)panel * 64 * quads, width,
                 (size_t)panel * ERNN_TILE, to_float, planes);
      }
    }
    row = end;
  }
  RELEASE();
  return row;
}

AMX static void u8_product__amx(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, int16_t *out, size_t out_stride) {
  if (rows < FEWEST_ROWS) { /* the most frequent */
    ernn_u8_product__avx512vnni(x, x_stride, rows, product, out, out_stride);
    return;
  }
  uint32_t done = gemm(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 0, 1);
  if (done == rows) return;
  ernn_u8_product__avx512vnni(x + done * x_stride, x_stride, rows - done, product,
                         out + done * out_stride, out_stride);
}

AMX static void u8_sums__amx(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, float *out, size_t out_stride) {
  if (rows < FEWEST_ROWS) { /* the most frequent */
    ernn_u8_sums__avx512vnni(x, x_stride, rows, product, out, out_stride);
    return;
  }
  uint32_t done = gemm(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 1, 1);
  if (done == rows) return;
  ernn_u8_sums__avx512vnni(x + done * x_stride, x_stride, rows - done, product,
                      out + done * out_stride, out_stride);
}

AMX static void planes_product__amx(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                    const ernn_product *product, int16_t *out,
                                    size_t out_stride) {
  if (rows < FEWEST_ROWS) { /* the most frequent */
    ernn_planes_product__avx512vnni(x, x_stride, plane, rows, product, out, out_stride);
    return;
  }
  uint32_t done = gemm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 0, 2);
  if (done == rows) return;
  ernn_planes_product__avx512vnni(x + done * x_stride, x_stride, plane, rows - done, product,
                             out + done * out_stride, out_stride);
}

AMX static void planes_sums__amx(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                 const ernn_product *product, float *out, size_t out_stride) {
  if (rows < FEWEST_ROWS) { /* the most frequent */
    ernn_planes_sums__avx512vnni(x, x_stride, plane, rows, product, out, out_stride);
    return;
  }
  uint32_t done = gemm(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 1, 2);
  if (done == rows) return;
  ernn_planes_sums__avx512vnni(x + done * x_stride, x_stride, plane, rows - done, product,
                          out + done * out_stride, out_stride);
}

const ernn_kernels ernn_kernels_amx = {
    .isa = ERNN_ISA_AMX,
    .rows = &ernn_rows_avx512vnni,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__avx512vnni),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__avx512),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__avx512),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__avx512),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__avx512),
    .f32_sigmoid = ernn_f32_sigmoid__avx2,
    .f32_tanh = ernn_f32_tanh__avx2,
    .u8_product = u8_product__amx,
    .s16_product = ernn_s16_product__avx512vnni,
    .u8_sums = u8_sums__amx,
    .s16_sums = ernn_s16_sums__avx512vnni,
    .planes_product = planes_product__amx,
    .planes_sums = planes_sums__amx,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__avx512vnni),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__avx512),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__avx512),
    .u8_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_u8_gru__avx512),
    .u8_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_u8_lstm__avx512),
    .u8_dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_u8_dynamic_gru__avx512),
    .u8_dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_u8_dynamic_lstm__avx512),
};

#else
typedef int ernn_no_amx; /* C99 wants something in every file */
#endif
