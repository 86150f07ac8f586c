/* kernels_simd128.c: WebAssembly with 128-bit vectors (every browser since 2023, -msimd128). */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_SIMD128

#include "ernn_fixed_point.h"
#include "kernels_portable.h"
#include "kernels_rows.h"
#include "kernels_simd128.h"

/* The sums of two neighbours: of `a` in the lower half, of `b` in the upper. */
ERNN_INLINE v128_t pairs_of(v128_t a, v128_t b) {
  return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

/* How many numbers of a row of bytes are widened at a time, where rows share their weights. */
enum { WIDE__simd128 = 512 };

/* Adds the products of `m` rows times `v` vectors of 4 columns: x8 holds bytes q + 128, or x16 words; the
 * other is null.  A product of four rows leaves two neighbours for each column.  Loading eight weights
 * widens them; loading sixteen and widening the upper half is one instruction more in browsers. */
ERNN_INLINE void add_up__simd128(const uint8_t *x8, const int16_t *x16, size_t x_stride,
                                 uint32_t quads, const int8_t *weights, size_t stride, v128_t *sums,
                                 int is_wide, const int m, const int v) {
  for (uint32_t quad = 0; quad < quads; quad++, weights += stride) {
    v128_t x[4];
    OFFSETS_IN_LOADS(weights);
    ERNN_UNROLL
    for (int i = 0; i < m; i++) {
      size_t at = (size_t)i * x_stride + 4 * (size_t)quad;
      x[i] = is_wide ? wasm_v128_load64_splat(x16 + at)
                     : wasm_u16x8_extend_low_u8x16(wasm_v128_load32_splat(x8 + at));
    }
    ERNN_UNROLL
    for (int j = 0; j < v; j++) {
      v128_t low = wasm_i16x8_load8x8(weights + 16 * j);
      v128_t high = wasm_i16x8_load8x8(weights + 16 * j + 8);
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        v128_t *sum = sums + 2 * (i * v + j);
        sum[0] = wasm_i32x4_add(sum[0], wasm_i32x4_dot_i16x8(low, x[i]));
        sum[1] = wasm_i32x4_add(sum[1], wasm_i32x4_dot_i16x8(high, x[i]));
      }
    }
  }
}

/* `m` rows (1 or 4) times one tile.  Four rows share what is widened, four columns at a time: more sums
 * would not fit into registers. */
ERNN_INLINE void tile__simd128(const uint8_t *x8, const int16_t *x16, size_t x_stride,
                               uint32_t quads, const int8_t *weights, size_t stride,
                               const ernn_product *product, size_t column, uint8_t *out,
                               size_t out_bytes, const int32_t *begin, int to_float,
                               int is_wide, const int m) {
  v128_t whole[16]; /* [row][4] */
  const int v = m == 1 ? 4 : 1;
  for (int first = 0; first < 4; first += v) {
    v128_t sums[8];
    ERNN_UNROLL
    for (int j = 0; j < 8; j++) sums[j] = wasm_i32x4_const_splat(0);
    add_up__simd128(x8, x16, x_stride, quads, weights + 16 * first, stride, sums, is_wide, m, v);
    ERNN_UNROLL
    for (int i = 0; i < m * v; i++) {
      v128_t from = wasm_v128_load(begin + column + 4 * (first + i % v));
      whole[i / v * 4 + first + i % v] =
          wasm_i32x4_add(pairs_of(sums[2 * i], sums[2 * i + 1]), from);
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    finish_tile__simd128(whole + 4 * i, product, column, out + (size_t)i * out_bytes, column,
                         to_float);
  }
}

/* `m` rows times all tiles. */
ERNN_INLINE void rows__simd128(const uint8_t *x8, const int16_t *x16, size_t x_stride,
                               const ernn_product *product, uint8_t *out, size_t out_bytes,
                               const int32_t *begin, int to_float, int is_wide,
                               const int m) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    for (uint32_t tile = 0; tile < in_panel; tile++) {
      tile__simd128(x8, x16, x_stride, quads, weights + 64 * tile, (size_t)in_panel * 64, product,
                    (size_t)(panel + tile) * ERNN_TILE, out, out_bytes, begin, to_float, is_wide, m);
    }
  }
}

/* Four rows of bytes q + 128 as words. */
ERNN_INLINE void widen__simd128(const uint8_t *x, size_t x_stride, uint32_t quads, int16_t *wide) {
  for (uint32_t row = 0; row < 4; row++) {
    for (uint32_t i = 0; i < 4 * quads; i++) {
      wide[row * WIDE__simd128 + i] = (int16_t)x[row * x_stride + i];
    }
  }
}

/* One function for bytes and words, Q4.11 and float32: what is written takes little of the time, and a page
 * loads a module of half the size. */
ERNN_NOINLINE static void gemm__simd128(const uint8_t *x8, const int16_t *x16, size_t x_stride,
                                        uint32_t rows, const ernn_product *product, uint8_t *out,
                                        size_t out_stride, int to_float) {
  size_t out_bytes = out_stride * (to_float ? sizeof(float) : sizeof(int16_t));
  const int32_t *begin = x16 ? product->bias : product->unsigned_bias;
  uint32_t quads = (product->rows + 3) / 4, row = 0;
  int16_t wide[4 * WIDE__simd128];
  for (; row + 4 <= rows && (x16 || 4 * quads <= WIDE__simd128); row += 4) {
    if (!x16) widen__simd128(x8 + row * x_stride, x_stride, quads, wide);
    rows__simd128(NULL, x16 ? x16 + row * x_stride : wide, x16 ? x_stride : WIDE__simd128, product,
                  out + row * out_bytes, out_bytes, begin, to_float, 1, 4);
  }
  for (; row < rows; row++) {
    rows__simd128(x16 ? NULL : x8 + row * x_stride, x16 ? x16 + row * x_stride : NULL, 0, product,
                  out + row * out_bytes, out_bytes, begin, to_float, x16 != NULL, 1);
  }
}

static void u8_product__simd128(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm__simd128(x, NULL, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

static void u8_sums__simd128(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, float *out, size_t out_stride) {
  gemm__simd128(x, NULL, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

void ernn_s16_product__simd128(const int16_t *x, size_t x_stride, uint32_t rows,
                                 const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm__simd128(NULL, x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

void ernn_s16_sums__simd128(const int16_t *x, size_t x_stride, uint32_t rows,
                              const ernn_product *product, float *out, size_t out_stride) {
  gemm__simd128(NULL, x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* ---- Gates ---- */

/* The tables of T as bytes, for look-up by swizzle, and constants: engines make a constant of the code anew
 * each time, in three to five instructions, and keep what was loaded. */
typedef struct tanh_tables__simd128 {
  v128_t value_low, value_high, slope_low, slope_high, bend_low, bend_high;
  v128_t end, knee, place, half, center;
} tanh_tables__simd128;

/* A tile: columns 0 to 7, and 8 to 15. */
typedef struct words__simd128 {
  v128_t a, b;
} words__simd128;

static const int16_t gate_constants[] = {ERNN_TANH_END, 8192, 2047 << 3, 16384, 128};

ERNN_INLINE v128_t low_bytes(v128_t first, v128_t second) {
  return wasm_i8x16_shuffle(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

ERNN_INLINE v128_t high_bytes(v128_t first, v128_t second) {
  return wasm_i8x16_shuffle(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

ERNN_INLINE tanh_tables__simd128 load_tanh_tables__simd128(void) {
  const int16_t *constants = gate_constants;
  const uint8_t *curvature = ernn_tanh_curvature;
  __asm__("" : "+r"(constants), "+r"(curvature)); /* the compiler must not see what is there */
  v128_t bends = wasm_v128_load(curvature);
  v128_t first = wasm_i16x8_neg(wasm_i16x8_shl(wasm_u16x8_extend_low_u8x16(bends), 4));
  v128_t second = wasm_i16x8_neg(wasm_i16x8_shl(wasm_u16x8_extend_high_u8x16(bends), 4));
  tanh_tables__simd128 tables = {
      low_bytes(wasm_v128_load(ernn_tanh_value), wasm_v128_load(ernn_tanh_value + 8)),
      high_bytes(wasm_v128_load(ernn_tanh_value), wasm_v128_load(ernn_tanh_value + 8)),
      low_bytes(wasm_v128_load(ernn_tanh_slope), wasm_v128_load(ernn_tanh_slope + 8)),
      high_bytes(wasm_v128_load(ernn_tanh_slope), wasm_v128_load(ernn_tanh_slope + 8)),
      low_bytes(first, second),
      high_bytes(first, second),
      wasm_v128_load16_splat(constants),
      wasm_v128_load16_splat(constants + 1),
      wasm_v128_load16_splat(constants + 2),
      wasm_v128_load16_splat(constants + 3),
      wasm_v128_load16_splat(constants + 4),
  };
  return tables;
}

/* y of |v| with the sign of v, from what the tables gave. */
ERNN_INLINE v128_t curve(v128_t v, v128_t w, v128_t value, v128_t slope, v128_t bend, v128_t place) {
  v128_t d = wasm_v128_and(wasm_i16x8_shl(w, 3), place);
  slope = wasm_i16x8_add(slope, scaled_q15(d, bend));
  v128_t y = wasm_i16x8_add(value, scaled_q15(d, slope));
  v128_t sign = wasm_i16x8_shr(v, 15);
  return wasm_i16x8_sub(wasm_v128_xor(y, sign), sign);
}

#define LOWER_BYTES(a, b) wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER_BYTES(a, b)                                                                                   \
  wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

ERNN_INLINE v128_t place_of(v128_t v, const tanh_tables__simd128 *tables) {
  v128_t u = wasm_u16x8_min(wasm_i16x8_abs(v), tables->end);
  return wasm_i16x8_add(u, wasm_i16x8_min(u, tables->knee));
}

/* T(v): one look-up for the bytes of a tile. */
ERNN_INLINE words__simd128 table_tanh__simd128(words__simd128 v, const tanh_tables__simd128 *tables) {
  v128_t a = place_of(v.a, tables), b = place_of(v.b, tables);
  v128_t at = wasm_u8x16_narrow_i16x8(wasm_i16x8_shr(a, 11), wasm_i16x8_shr(b, 11));
  v128_t value_low = looked_up(tables->value_low, at), value_high = looked_up(tables->value_high, at);
  v128_t slope_low = looked_up(tables->slope_low, at), slope_high = looked_up(tables->slope_high, at);
  v128_t bend_low = looked_up(tables->bend_low, at), bend_high = looked_up(tables->bend_high, at);
  words__simd128 out = {
      curve(v.a, a, LOWER_BYTES(value_low, value_high), LOWER_BYTES(slope_low, slope_high),
            LOWER_BYTES(bend_low, bend_high), tables->place),
      curve(v.b, b, UPPER_BYTES(value_low, value_high), UPPER_BYTES(slope_low, slope_high),
            UPPER_BYTES(bend_low, bend_high), tables->place),
  };
  return out;
}

ERNN_INLINE words__simd128 fixed_tanh__simd128(words__simd128 p, const tanh_tables__simd128 *tables) {
  words__simd128 twice = {wasm_i16x8_add_sat(p.a, p.a), wasm_i16x8_add_sat(p.b, p.b)};
  return table_tanh__simd128(twice, tables);
}

ERNN_INLINE v128_t hard_gate(v128_t p, ernn_hard hard, v128_t half) {
  p = wasm_i16x8_min(p, wasm_i16x8_splat(hard.limit));
  p = wasm_i16x8_max(p, wasm_i16x8_splat((int16_t)-hard.limit));
  p = wasm_i16x8_q15mulr_sat(wasm_i16x8_shl(p, 2), wasm_i16x8_splat(hard.factor));
  return wasm_i16x8_max(wasm_i16x8_add_sat(p, half), wasm_i16x8_const_splat(0));
}

ERNN_INLINE words__simd128 fixed_gate__simd128(words__simd128 p, ernn_hard hard,
                                               const tanh_tables__simd128 *tables) {
  const v128_t half = tables->half;
  if (hard.limit == 0) {
    words__simd128 t = table_tanh__simd128(p, tables);
    words__simd128 gate = {wasm_i16x8_add(wasm_i16x8_shr(t.a, 1), half),
                           wasm_i16x8_add(wasm_i16x8_shr(t.b, 1), half)};
    return gate;
  }
  words__simd128 gate = {hard_gate(p.a, hard, half), hard_gate(p.b, hard, half)};
  return gate;
}

ERNN_INLINE void store_fed__simd128(uint8_t *fed, v128_t h, v128_t center) {
  v128_t narrow = wasm_i16x8_add(wasm_i16x8_shr(wasm_i16x8_add_sat(h, center), 8), center);
  wasm_v128_store64_lane(fed, wasm_u8x16_narrow_i16x8(narrow, narrow), 0);
}

/* (sum + (before << 15) - gate * before + 0x4000) >> 15, saturated.  sum: 32 bits of 8 columns, to which
 * (32767 - gate) * before was added: one factor of 16 bits, so that a product of pairs can add it. */
ERNN_INLINE v128_t kept(v128_t low, v128_t high, v128_t before) {
  const v128_t half = wasm_i32x4_const_splat(0x4000);
  low = wasm_i32x4_add(wasm_i32x4_add(low, half), wasm_i32x4_extend_low_i16x8(before));
  high = wasm_i32x4_add(wasm_i32x4_add(high, half), wasm_i32x4_extend_high_i16x8(before));
  return wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(low, 15), wasm_i32x4_shr(high, 15));
}

/* The words of two in turn: the lower four of each, the upper four. */
ERNN_INLINE v128_t low_pairs(v128_t a, v128_t b) {
  return wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

ERNN_INLINE v128_t high_pairs(v128_t a, v128_t b) {
  return wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

ERNN_INLINE words__simd128 adds_at__simd128(const int16_t *x, const int16_t *r, uint32_t at) {
  words__simd128 sums = {wasm_i16x8_add_sat(wasm_v128_load(x + at), wasm_v128_load(r + at)),
                         wasm_i16x8_add_sat(wasm_v128_load(x + at + 8), wasm_v128_load(r + at + 8))};
  return sums;
}

/* h' of eight columns; z: 1 - z */
ERNN_INLINE void gru_state__simd128(v128_t z, v128_t n, int16_t *h, uint8_t *fed, v128_t center) {
  v128_t before = wasm_v128_load(h), rest = wasm_v128_xor(z, wasm_i16x8_const_splat(32767));
  v128_t state = kept(wasm_i32x4_dot_i16x8(low_pairs(z, rest), low_pairs(n, before)),
                      wasm_i32x4_dot_i16x8(high_pairs(z, rest), high_pairs(n, before)), before);
  wasm_v128_store(h, state);
  store_fed__simd128(fed, state, center);
}

void ernn_s16_gru__simd128(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                             uint32_t tiles, ernn_hard hard) {
  tanh_tables__simd128 tables = load_tanh_tables__simd128();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16, fed += 16) {
    words__simd128 reset = fixed_gate__simd128(adds_at__simd128(x, r, 16), hard, &tables);
    v128_t a = scaled_q15(reset.a, wasm_v128_load(r + 32)), b = scaled_q15(reset.b, wasm_v128_load(r + 40));
    words__simd128 p = {wasm_i16x8_add_sat(wasm_v128_load(x + 32), a),
                        wasm_i16x8_add_sat(wasm_v128_load(x + 40), b)};
    words__simd128 n = fixed_tanh__simd128(p, &tables);
    words__simd128 z = fixed_gate__simd128(adds_at__simd128(x, r, 0), hard, &tables);
    gru_state__simd128(z.a, n.a, h, fed, tables.center);
    gru_state__simd128(z.b, n.b, h + 8, fed + 8, tables.center);
  }
}

/* T of the memory c' of eight columns, as cell->limit and cell->factor say. */
ERNN_INLINE v128_t lstm_memory__simd128(v128_t i, v128_t f, v128_t n, int16_t *c, const ernn_cell *cell,
                                        uint32_t k) {
  const int32_t *exponent = cell->exponent + k / 2; /* lanes of columns k to k + 3 */
  v128_t low = shifted(wasm_i32x4_extmul_low_i16x8(i, n), wasm_v128_load(exponent));
  v128_t high = shifted(wasm_i32x4_extmul_high_i16x8(i, n), wasm_v128_load(exponent + 8));
  v128_t before = wasm_v128_load(c + k), rest = wasm_v128_xor(f, wasm_i16x8_const_splat(32767));
  v128_t memory = kept(wasm_i32x4_add(low, wasm_i32x4_extmul_low_i16x8(rest, before)),
                       wasm_i32x4_add(high, wasm_i32x4_extmul_high_i16x8(rest, before)), before);
  memory = wasm_i16x8_max(memory, wasm_i16x8_const_splat(-32767));
  wasm_v128_store(c + k, memory);
  v128_t limit = wasm_v128_load(cell->limit + k);
  v128_t t = wasm_i16x8_max(wasm_i16x8_min(memory, limit), wasm_i16x8_neg(limit));
  return wasm_i16x8_mul(t, wasm_v128_load(cell->factor + k));
}

void ernn_s16_lstm__simd128(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                              const ernn_cell *cells, uint8_t *fed, uint32_t tiles,
                              ernn_hard hard) {
  tanh_tables__simd128 tables = load_tanh_tables__simd128();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16, fed += 16) {
    const ernn_cell *cell = cells + tile;
    words__simd128 i = fixed_gate__simd128(adds_at__simd128(x, r, 0), hard, &tables);
    words__simd128 f = fixed_gate__simd128(adds_at__simd128(x, r, 16), hard, &tables);
    words__simd128 n = fixed_tanh__simd128(adds_at__simd128(x, r, 32), &tables);
    words__simd128 memory = {lstm_memory__simd128(i.a, f.a, n.a, c, cell, 0),
                             lstm_memory__simd128(i.b, f.b, n.b, c, cell, 8)};
    words__simd128 t = table_tanh__simd128(memory, &tables);
    words__simd128 o = fixed_gate__simd128(adds_at__simd128(x, r, 48), hard, &tables);
    v128_t first = scaled_q15(o.a, t.a), second = scaled_q15(o.b, t.b);
    wasm_v128_store(h, first);
    wasm_v128_store(h + 8, second);
    store_fed__simd128(fed, first, tables.center);
    store_fed__simd128(fed + 8, second, tables.center);
  }
}

/* ---- Rows of floats ---- */

/* As ernn_rounded, and 32768 more: four words q + 32768. */
ERNN_INLINE v128_t rounded__simd128(const float *x, v128_t reciprocal, v128_t limit) {
  v128_t v = wasm_f32x4_mul(wasm_v128_load(x), reciprocal);
  v = wasm_v128_and(v, wasm_f32x4_eq(v, v)); /* NaN is 0 */
  v = wasm_f32x4_pmax(wasm_f32x4_pmin(v, limit), wasm_f32x4_neg(limit));
  v = wasm_f32x4_add(v, wasm_f32x4_const_splat(12582912.0f));
  return wasm_i32x4_sub(v, wasm_i32x4_const_splat(0x4B400000 - 32768));
}

/* Eight numbers, of a multiple of eight, at a time: into planes, or where `low` is null into bytes. */
ERNN_NOINLINE static void split__simd128(const float *x, size_t count, float reciprocal, float limit,
                                         uint8_t *high, uint8_t *low) {
  const v128_t by = wasm_f32x4_splat(reciprocal), most = wasm_f32x4_splat(limit);
  for (size_t i = 0; i < count; i += 8) {
    v128_t first = rounded__simd128(x + i, by, most), second = rounded__simd128(x + i + 4, by, most);
    v128_t words = wasm_u16x8_narrow_i32x4(first, second);
    v128_t below = wasm_v128_and(words, wasm_i16x8_const_splat(255));
    v128_t both = wasm_u8x16_narrow_i16x8(wasm_u16x8_shr(words, 8), below);
    if (low) {
      wasm_v128_store64_lane(high + i, both, 0);
      wasm_v128_store64_lane(low + i, both, 1);
    } else {
      wasm_v128_store64_lane(high + i, wasm_v128_xor(both, wasm_i8x16_const_splat(-128)), 1);
    }
  }
}

ERNN_INLINE void planes_of__simd128(const float *x, size_t count, float reciprocal, float limit,
                                    uint8_t *high, uint8_t *low) {
  size_t most = count & ~(size_t)7;
  split__simd128(x, most, reciprocal, limit, high, low);
  planes_of(x + most, count - most, reciprocal, limit, high + most, low + most);
}

ERNN_INLINE void bytes_of__simd128(const float *x, size_t count, float reciprocal, float limit,
                                   uint8_t *out) {
  size_t most = count & ~(size_t)7;
  split__simd128(x, most, reciprocal, limit, out, NULL);
  bytes_of(x + most, count - most, reciprocal, limit, out + most);
}

ERNN_ROW_KERNELS(ERNN_ANY_TARGET, simd128, bytes_of__simd128, planes_of__simd128)

/* Loops over floats are turned into vectors by compilers. */
const ernn_kernels ernn_kernels_simd128 = {
    .isa = ERNN_ISA_SIMD128,
    .u8_product = u8_product__simd128,
    .u8_sums = u8_sums__simd128,
    KERNELS_OF_SIMD128,
};

#else
typedef int ernn_no_simd128; /* C99 wants something in every file */
#endif
