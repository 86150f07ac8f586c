/* kernels_neon.c: integers on every 64-bit ARM processor (armv8.0) and on 32-bit ARM with NEON.  The
 * specification is docs/integer-arithmetic.md. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_NEON

#include "ernn_fixed_point.h"
#include "kernels_neon.h"
#include "kernels_portable.h"

/* clang knows that both halves of what is loaded twice are the same, uses the lower one only, and
 * then needs an instruction to move the upper half of each weight down (a sixth of the loop). */
#define KEEP_WHOLE(vector) __asm__("" : "+w"(vector))

/* Finishes two sums before the next: clang else begins so many that registers run out. */
#define IN_ORDER(first, second) __asm__ volatile("" : "+w"(first), "+w"(second))

/* q of four bytes q + 128, four times. */
ERNN_INLINE int8x16_t broadcast_quad__neon(const uint8_t *x) {
  uint32_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  int8x16_t q = vreinterpretq_s8_u32(vdupq_n_u32(quad ^ 0x80808080u));
  KEEP_WHOLE(q);
  return q;
}

/* One row of bytes times `n` tiles.  Products of two groups of rows fit 16 bits together, since
 * |q| <= 128 and |w| <= 127; each sum is in two neighbouring lanes at first. */
ERNN_INLINE void u8_block__neon(const uint8_t *x, uint32_t quads, const int8_t *weights, size_t stride,
                          const ernn_product *product, size_t column, void *out,
                          const int to_float, const int n) {
  int32x4_t sums[16];
  ERNN_UNROLL
  for (int j = 0; j < 8 * n; j++) sums[j] = vdupq_n_s32(0);
  uint32_t quad = 0;
  for (; quad + 2 <= quads; quad += 2, weights += 2 * stride, x += 8) {
    int8x16_t first = broadcast_quad__neon(x), second = broadcast_quad__neon(x + 4);
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      const int8_t *at = weights + 16 * j;
      int8x16_t w = vld1q_s8(at), v = vld1q_s8(at + stride);
      int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(first));
      int16x8_t high = vmull_high_s8(w, first);
      low = vmlal_s8(low, vget_low_s8(v), vget_low_s8(second));
      high = vmlal_high_s8(high, v, second);
      sums[2 * j] = vpadalq_s16(sums[2 * j], low);
      sums[2 * j + 1] = vpadalq_s16(sums[2 * j + 1], high);
      IN_ORDER(sums[2 * j], sums[2 * j + 1]);
    }
  }
  if (quad < quads) {
    int8x16_t last = broadcast_quad__neon(x);
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      int8x16_t w = vld1q_s8(weights + 16 * j);
      sums[2 * j] = vpadalq_s16(sums[2 * j], vmull_s8(vget_low_s8(w), vget_low_s8(last)));
      sums[2 * j + 1] = vpadalq_s16(sums[2 * j + 1], vmull_high_s8(w, last));
    }
  }
  ERNN_UNROLL
  for (int tile = 0; tile < n; tile++) {
    size_t at = column + 16 * (size_t)tile;
    int32x4_t whole[4];
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) {
      int32x4_t sum = vpaddq_s32(sums[8 * tile + 2 * i], sums[8 * tile + 2 * i + 1]);
      whole[i] = vaddq_s32(sum, vld1q_s32(product->bias + at + 4 * (size_t)i));
    }
    finish_tile__neon(whole, product, at, out, at, to_float);
  }
}

ERNN_ONE_COPY void u8_gemm__neon(const uint8_t *x, size_t x_stride, uint32_t rows,
                         const ernn_product *product, uint8_t *out, size_t out_stride,
                         const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    size_t column = (size_t)panel * ERNN_TILE, stride = (size_t)in_panel * 64;
    for (uint32_t row = 0; row < rows; row++) {
      const uint8_t *from = x + row * x_stride;
      uint8_t *to = out + row * out_stride * element;
      uint32_t tile = 0;
      for (; tile + 2 <= in_panel; tile += 2) {
        u8_block__neon(from, quads, weights + tile * 64, stride, product, column + tile * 16, to,
                 to_float, 2);
      }
      if (tile < in_panel) {
        u8_block__neon(from, quads, weights + tile * 64, stride, product, column + tile * 16, to,
                 to_float, 1);
      }
    }
  }
}

static void u8_product__neon(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, int16_t *out, size_t out_stride) {
  u8_gemm__neon(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

static void u8_sums__neon(const uint8_t *x, size_t x_stride, uint32_t rows,
                          const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__neon(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* One row of 16-bit numbers times one tile; each sum is in four lanes at first. */
ERNN_INLINE void s16_block__neon(const int16_t *x, uint32_t quads, const int8_t *weights, size_t stride,
                           const ernn_product *product, size_t column, void *out,
                           const int to_float) {
  int32x4_t sums[16];
  ERNN_UNROLL
  for (int j = 0; j < 16; j++) sums[j] = vdupq_n_s32(0);
  for (uint32_t quad = 0; quad < quads; quad++, weights += stride, x += 4) {
    int16x8_t four = vcombine_s16(vld1_s16(x), vld1_s16(x));
    KEEP_WHOLE(four);
    ERNN_UNROLL
    for (int j = 0; j < 4; j++) {
      int8x16_t w = vld1q_s8(weights + 16 * j);
      int16x8_t low = vmovl_s8(vget_low_s8(w)), high = vmovl_high_s8(w);
      sums[4 * j] = vmlal_s16(sums[4 * j], vget_low_s16(low), vget_low_s16(four));
      sums[4 * j + 1] = vmlal_high_s16(sums[4 * j + 1], low, four);
      sums[4 * j + 2] = vmlal_s16(sums[4 * j + 2], vget_low_s16(high), vget_low_s16(four));
      sums[4 * j + 3] = vmlal_high_s16(sums[4 * j + 3], high, four);
    }
  }
  int32x4_t whole[4];
  ERNN_UNROLL
  for (int i = 0; i < 4; i++) {
    int32x4_t first = vpaddq_s32(sums[4 * i], sums[4 * i + 1]);
    int32x4_t second = vpaddq_s32(sums[4 * i + 2], sums[4 * i + 3]);
    whole[i] = vaddq_s32(vpaddq_s32(first, second), vld1q_s32(product->bias + column + 4 * (size_t)i));
  }
  finish_tile__neon(whole, product, column, out, column, to_float);
}

ERNN_ONE_COPY void s16_gemm__neon(const int16_t *x, size_t x_stride, uint32_t rows,
                          const ernn_product *product, uint8_t *out, size_t out_stride,
                          const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    for (uint32_t tile = 0; tile < in_panel; tile++) {
      for (uint32_t row = 0; row < rows; row++) {
        s16_block__neon(x + row * x_stride, quads, weights + tile * 64, (size_t)in_panel * 64,
                        product, (size_t)(panel + tile) * ERNN_TILE,
                        out + row * out_stride * element, to_float);
      }
    }
  }
}

void ernn_s16_product__neon(const int16_t *x, size_t x_stride, uint32_t rows,
                       const ernn_product *product, int16_t *out, size_t out_stride) {
  s16_gemm__neon(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

void ernn_s16_sums__neon(const int16_t *x, size_t x_stride, uint32_t rows, const ernn_product *product,
                    float *out, size_t out_stride) {
  s16_gemm__neon(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* The tables of T as bytes, for look-up by tbl; bend is -16 times the curvature. */
typedef struct tanh_tables__neon {
  uint8x16_t value_low, value_high, slope_low, slope_high, bend_low, bend_high;
} tanh_tables__neon;

ERNN_INLINE tanh_tables__neon load_tanh_tables__neon(void) {
  uint8x16x2_t value = vld2q_u8((const uint8_t *)ernn_tanh_value);
  uint8x16x2_t slope = vld2q_u8((const uint8_t *)ernn_tanh_slope);
  uint8x16_t zero = vdupq_n_u8(0), curvature = vld1q_u8(ernn_tanh_curvature);
  uint8x16_t sixteenths = vshrq_n_u8(vaddq_u8(curvature, vdupq_n_u8(15)), 4); /* rounded up */
  tanh_tables__neon tables = {value.val[0], value.val[1], slope.val[0], slope.val[1],
                              vshlq_n_u8(vsubq_u8(zero, curvature), 4), vsubq_u8(zero, sixteenths)};
  return tables;
}

/* Sixteen numbers of 16 bits. */
typedef struct words16 {
  int16x8_t low, high;
} words16;

/* Numbers of a table whose low and high bytes are apart. */
ERNN_INLINE words16 look_up16(uint8x16_t low_bytes, uint8x16_t high_bytes, uint8x16_t index) {
  uint8x16x2_t both = vzipq_u8(vqtbl1q_u8(low_bytes, index), vqtbl1q_u8(high_bytes, index));
  words16 numbers = {vreinterpretq_s16_u8(both.val[0]), vreinterpretq_s16_u8(both.val[1])};
  return numbers;
}

/* Where |v| is in the table: 2048 to a segment, and twice as wide ones above. */
ERNN_INLINE int16x8_t place8(int16x8_t v) {
  uint16x8_t magnitude = vreinterpretq_u16_s16(vabsq_s16(v)); /* 32768 of -32768 */
  int16x8_t u = vreinterpretq_s16_u16(vminq_u16(magnitude, vdupq_n_u16(ERNN_TANH_END)));
  return vaddq_s16(u, vminq_s16(u, vdupq_n_s16(8192)));
}

ERNN_INLINE int16x8_t interpolated8(int16x8_t v, int16x8_t place, int16x8_t value,
                                    int16x8_t slope, int16x8_t bend) {
  int16x8_t d = vshlq_n_s16(vandq_s16(place, vdupq_n_s16(2047)), 3);
  slope = vaddq_s16(slope, vqrdmulhq_s16(d, bend));
  int16x8_t y = vaddq_s16(value, vqrdmulhq_s16(d, slope));
  int16x8_t sign = vshrq_n_s16(v, 15);
  return vsubq_s16(veorq_s16(y, sign), sign);
}

/* T(v) of a tile: one look-up serves sixteen numbers. */
ERNN_INLINE words16 table_tanh16(words16 v, const tanh_tables__neon *tables) {
  int16x8_t first = place8(v.low), second = place8(v.high);
  uint8x16x2_t bytes = vuzpq_u8(vreinterpretq_u8_s16(first), vreinterpretq_u8_s16(second));
  uint8x16_t segment = vshrq_n_u8(bytes.val[1], 3);
  words16 value = look_up16(tables->value_low, tables->value_high, segment);
  words16 slope = look_up16(tables->slope_low, tables->slope_high, segment);
  words16 bend = look_up16(tables->bend_low, tables->bend_high, segment);
  words16 y = {interpolated8(v.low, first, value.low, slope.low, bend.low),
               interpolated8(v.high, second, value.high, slope.high, bend.high)};
  return y;
}

ERNN_INLINE words16 load16(const int16_t *from) {
  words16 numbers = {vld1q_s16(from), vld1q_s16(from + 8)};
  return numbers;
}

ERNN_INLINE void store16(int16_t *to, words16 numbers) {
  vst1q_s16(to, numbers.low);
  vst1q_s16(to + 8, numbers.high);
}

ERNN_INLINE words16 adds16(words16 a, words16 b) {
  words16 sum = {vqaddq_s16(a.low, b.low), vqaddq_s16(a.high, b.high)};
  return sum;
}

ERNN_INLINE words16 mulr16(words16 a, words16 b) {
  words16 product = {vqrdmulhq_s16(a.low, b.low), vqrdmulhq_s16(a.high, b.high)};
  return product;
}

ERNN_INLINE words16 fixed_tanh16(words16 p, const tanh_tables__neon *tables) {
  return table_tanh16(adds16(p, p), tables);
}

ERNN_INLINE int16x8_t hard_gate8(int16x8_t p, ernn_hard hard) {
  p = vminq_s16(p, vdupq_n_s16(hard.limit));
  p = vmaxq_s16(p, vdupq_n_s16((int16_t)-hard.limit));
  p = vqrdmulhq_s16(vshlq_n_s16(p, 2), vdupq_n_s16(hard.factor));
  return vmaxq_s16(vqaddq_s16(p, vdupq_n_s16(16384)), vdupq_n_s16(0));
}

ERNN_INLINE words16 fixed_gate16(words16 p, ernn_hard hard, const tanh_tables__neon *tables) {
  const int16x8_t half = vdupq_n_s16(16384);
  if (hard.limit == 0) {
    words16 t = table_tanh16(p, tables);
    words16 gate = {vsraq_n_s16(half, t.low, 1), vsraq_n_s16(half, t.high, 1)};
    return gate;
  }
  words16 gate = {hard_gate8(p.low, hard), hard_gate8(p.high, hard)};
  return gate;
}

/* (h + 128) >> 8, saturated, + 128 */
ERNN_INLINE void store_fed16(uint8_t *fed, words16 h) {
  int8x16_t narrow = vcombine_s8(vqrshrn_n_s16(h.low, 8), vqrshrn_n_s16(h.high, 8));
  vst1q_u8(fed, veorq_u8(vreinterpretq_u8_s8(narrow), vdupq_n_u8(0x80)));
}

ERNN_INLINE int16x4_t gru_state4(int16x4_t z, int16x4_t n, int16x4_t h) {
  int32x4_t state = vmlsl_s16(vmlal_s16(vshll_n_s16(h, 15), z, n), z, h);
  return vrshrn_n_s32(state, 15);
}

ERNN_INLINE int16x8_t gru_state8(int16x8_t z, int16x8_t n, int16x8_t h) {
  return vcombine_s16(gru_state4(vget_low_s16(z), vget_low_s16(n), vget_low_s16(h)),
                      gru_state4(vget_high_s16(z), vget_high_s16(n), vget_high_s16(h)));
}

ERNN_INLINE words16 adds_at(const int16_t *x, const int16_t *r, uint32_t at) {
  return adds16(load16(x + at), load16(r + at));
}

void ernn_s16_gru__neon(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed, uint32_t tiles,
                   ernn_hard hard) {
  tanh_tables__neon tables = load_tanh_tables__neon();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16, fed += 16) {
    words16 z = fixed_gate16(adds_at(x, r, 0), hard, &tables);
    words16 reset = fixed_gate16(adds_at(x, r, 16), hard, &tables);
    words16 p = mulr16(reset, load16(r + 32));
    words16 n = fixed_tanh16(adds16(load16(x + 32), p), &tables);
    words16 before = load16(h);
    words16 state = {gru_state8(z.low, n.low, before.low),
                     gru_state8(z.high, n.high, before.high)};
    store16(h, state);
    store_fed16(fed, state);
  }
}

ERNN_INLINE int16x4_t lstm_cell4(int16x4_t i, int16x4_t f, int16x4_t n, int16x4_t c,
                                 const int32_t *exponent) {
  int32x4_t gain = vshlq_s32(vmull_s16(i, n), vnegq_s32(vld1q_s32(exponent)));
  int32x4_t cell = vmlsl_s16(vshll_n_s16(c, 15), f, c);
  return vqrshrn_n_s32(vaddq_s32(cell, gain), 15);
}

ERNN_INLINE int16x8_t lstm_cell8(int16x8_t i, int16x8_t f, int16x8_t n, int16x8_t c,
                                 const int32_t *exponent) {
  int16x8_t cell = vcombine_s16(
      lstm_cell4(vget_low_s16(i), vget_low_s16(f), vget_low_s16(n), vget_low_s16(c), exponent),
      lstm_cell4(vget_high_s16(i), vget_high_s16(f), vget_high_s16(n), vget_high_s16(c),
                 exponent + 8));
  return vmaxq_s16(cell, vdupq_n_s16(-32767));
}

/* What the table of tanh takes of a cell. */
ERNN_INLINE int16x8_t scaled_cell8(int16x8_t c, const ernn_cell *cell, uint32_t at) {
  int16x8_t limit = vld1q_s16(cell->limit + at);
  c = vmaxq_s16(vminq_s16(c, limit), vnegq_s16(limit));
  return vmulq_s16(c, vld1q_s16(cell->factor + at));
}

void ernn_s16_lstm__neon(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                    const ernn_cell *cells, uint8_t *fed, uint32_t tiles, ernn_hard hard) {
  tanh_tables__neon tables = load_tanh_tables__neon();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16, fed += 16) {
    const ernn_cell *cell = cells + tile;
    words16 i = fixed_gate16(adds_at(x, r, 0), hard, &tables);
    words16 f = fixed_gate16(adds_at(x, r, 16), hard, &tables);
    words16 n = fixed_tanh16(adds_at(x, r, 32), &tables);
    words16 o = fixed_gate16(adds_at(x, r, 48), hard, &tables);
    words16 before = load16(c); /* exponents are in the order of lanes: columns 0-3, 8-11, 4-7, 12-15 */
    words16 memory = {lstm_cell8(i.low, f.low, n.low, before.low, cell->exponent),
                      lstm_cell8(i.high, f.high, n.high, before.high, cell->exponent + 4)};
    store16(c, memory);
    words16 t = {scaled_cell8(memory.low, cell, 0), scaled_cell8(memory.high, cell, 8)};
    words16 state = mulr16(o, table_tanh16(t, &tables));
    store16(h, state);
    store_fed16(fed, state);
  }
}

/* The gates in float32 are loops that compilers turn into NEON by themselves. */
const ernn_kernels ernn_kernels_neon = {
    .isa = ERNN_ISA_NEON,
    .rows = &ernn_rows_portable,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__neon),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__portable),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__portable),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__portable),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__portable),
    .f32_sigmoid = ernn_f32_sigmoid__portable,
    .f32_tanh = ernn_f32_tanh__portable,
    .u8_product = u8_product__neon,
    .s16_product = ernn_s16_product__neon,
    .u8_sums = u8_sums__neon,
    .s16_sums = ernn_s16_sums__neon,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__neon),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__neon),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__neon),
};

#else
typedef int ernn_no_neon; /* C99 wants something in every file */
#endif
