/* kernels_relaxed.c: WebAssembly with relaxed SIMD (WebAssembly 3.0, -mrelaxed-simd), which has products
 * of bytes.
 *
 * i32x4.relaxed_dot_i8x16_i7x16_add_s adds the products of four signed bytes w and four bytes x to each
 * sum.  Where x needs eight bits, the standard leaves it to the engine whether x is signed (ARM's dot
 * product) or unsigned (x86), and whether sums of two products saturate at 16 bits (x86 before
 * AVX-VNNI), which safe pairs do not reach.  So one product of constants tells what an engine does:
 * x is q + 128 for the one, q for the other.  An engine that does anything else has no such kernels. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_RELAXED

#include "kernels_portable.h"
#include "kernels_simd128.h"

RELAXED_SIMD(dot_of_pairs, "0x92") /* i16x8.relaxed_dot_i8x16_i7x16_s */

/* i32x4.relaxed_dot_i8x16_i7x16_add_s */
ERNN_INLINE v128_t fused_dot(v128_t w, v128_t x, v128_t sums) {
  v128_t out;
  __asm__(
      "local.get %1\n\tlocal.get %2\n\tlocal.get %3\n\t.byte 0xfd, 0x93, 0x02\n\tlocal.set %0"
      : "=r"(out)
      : "r"(w), "r"(x), "r"(sums));
  return out;
}

/* sums + w * x.  Before AVX-VNNI, engines spell the fused product in five instructions, this in three. */
ERNN_INLINE v128_t dot__relaxed(v128_t w, v128_t x, v128_t sums, const int in_pairs) {
  if (!in_pairs) return fused_dot(w, x, sums);
  return wasm_i32x4_add(sums, wasm_i32x4_extadd_pairwise_i16x8(dot_of_pairs(w, x)));
}

/* 127 * 255 + 127 * 255 as this engine sees it: exact, cut to 16 bits, or with -1 for 255. */
enum { UNSIGNED_X = 64770, IN_PAIRS = 32767, SIGNED_X = -254 };
ERNN_INLINE int32_t engine(void) {
  v128_t sums = fused_dot(wasm_i16x8_const_splat(127), wasm_i8x16_const_splat(-1),
                          wasm_i32x4_const_splat(0));
  return wasm_i32x4_extract_lane(sums, 0);
}

/* Pairs are safe; with unsigned x their sums come close to the ends of 16 bits. */
static const int8_t probe_w[16] = {127, 1, -127, -1, 64, 64, -64, -64, 100, 28, -90, -38, -128, 0, 0, 127};
static const uint8_t probe_x[16] = {255, 255, 255, 255, 128, 127, 1, 254, 0, 255, 129, 200, 255, 9, 7, 128};
static const int32_t probe_sums[4] = {1, -2, 1 << 30, -(1 << 30)};

int ernn_has_exact_bytes(void) {
  int32_t kind = engine(), wrong = 0, found[4];
  v128_t w = wasm_v128_load(probe_w), x = wasm_v128_load(probe_x), sums = wasm_v128_load(probe_sums);
  sums = kind == IN_PAIRS ? dot__relaxed(w, x, sums, 1) : dot__relaxed(w, x, sums, 0);
  wasm_v128_store(found, sums);
  for (int lane = 0; lane < 4; lane++) {
    int32_t sum = probe_sums[lane];
    for (int i = 4 * lane; i < 4 * lane + 4; i++) {
      sum += probe_w[i] * (kind == SIGNED_X ? (int8_t)probe_x[i] : probe_x[i]);
    }
    wrong |= sum ^ found[lane];
  }
  return !wrong && (kind == UNSIGNED_X || kind == IN_PAIRS || kind == SIGNED_X);
}

/* What all blocks of a product share. */
typedef struct rows__relaxed {
  const ernn_product *product;
  const int32_t *begin;
  v128_t flipped; /* bits of bytes q + 128 that make them what the engine multiplies */
  size_t x_stride, stride, out_bytes;
  int to_float;
} rows__relaxed;

/* `m` rows times `n` tiles of one panel. */
ERNN_INLINE void u8_block__relaxed(const rows__relaxed *rows, const uint8_t *x,
                                   const int8_t *weights, size_t column, uint8_t *out, const int m,
                                   const int n, const int in_pairs) {
  const size_t x_stride = rows->x_stride, stride = rows->stride;
  const v128_t flipped = rows->flipped;
  v128_t sums[12];
  ERNN_UNROLL
  for (int i = 0; i < 4 * m * n; i++) {
    sums[i] = wasm_v128_load(rows->begin + column + 4 * (i % (4 * n)));
  }
  for (uint32_t left = (rows->product->rows + 3) / 4; left > 0; left--, weights += stride, x += 4) {
    v128_t four[3];
    ERNN_UNROLL
    for (int i = 0; i < m; i++) {
      four[i] = wasm_v128_load32_splat(x + (size_t)i * x_stride);
      if (!in_pairs) four[i] = wasm_v128_xor(four[i], flipped);
    }
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) {
      v128_t w = wasm_v128_load(weights + 16 * j);
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        sums[4 * i * n + j] = dot__relaxed(w, four[i], sums[4 * i * n + j], in_pairs);
      }
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < m * n; i++) {
    size_t first = column + ERNN_TILE * (size_t)(i % n);
    finish_tile__simd128(sums + 4 * i, rows->product, first, out + (size_t)(i / n) * rows->out_bytes,
                         first, rows->to_float);
  }
}

/* Rows of bytes times all tiles.  Twelve sums at a time stay in registers, and hide the five cycles that a
 * product takes. */
ERNN_NOINLINE static void u8_gemm__relaxed(const uint8_t *x, size_t x_stride, uint32_t count,
                                           const ernn_product *product, uint8_t *out,
                                           size_t out_stride, int to_float) {
  const int32_t kind = engine();
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  rows__relaxed rows = {
      .product = product,
      .begin = kind == SIGNED_X ? product->bias : product->unsigned_bias,
      .flipped = wasm_i8x16_splat(kind == SIGNED_X ? -128 : 0),
      .x_stride = x_stride,
      .out_bytes = out_stride * (to_float ? sizeof(float) : sizeof(int16_t)),
      .to_float = to_float,
  };
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    rows.stride = (size_t)taken * 64;
    for (uint32_t row = 0, m; row < count; row += m) {
      const uint8_t *from = x + row * x_stride;
      uint8_t *to = out + row * rows.out_bytes;
      m = count - row >= 3 ? 3 : 1;
      for (uint32_t tile = 0, n; tile < taken; tile += n) {
        uint32_t left = taken - tile;
        n = m == 3 || left == 1 ? 1 : left == 3 ? 3 : 2;
#define BLOCK(m, n, in_pairs)                                                                     \
  u8_block__relaxed(&rows, from, weights + 64 * tile, (size_t)(panel + tile) * ERNN_TILE, to, m, n, \
                    in_pairs)
        if (kind == IN_PAIRS) {
          if (m == 3) {
            BLOCK(3, 1, 1);
          } else {
            n = 1;
            BLOCK(1, 1, 1);
          }
        } else if (m == 3) {
          BLOCK(3, 1, 0);
        } else if (n == 3) {
          BLOCK(1, 3, 0);
        } else if (n == 2) {
          BLOCK(1, 2, 0);
        } else {
          BLOCK(1, 1, 0);
        }
#undef BLOCK
      }
    }
  }
}

static void u8_product__relaxed(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, int16_t *out, size_t out_stride) {
  u8_gemm__relaxed(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

static void u8_sums__relaxed(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__relaxed(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

const ernn_kernels ernn_kernels_relaxed = {
    .isa = ERNN_ISA_RELAXED,
    .pairs_saturate = 1,
    .rows = &ernn_rows_portable,
    .f32_gemm = ernn_f32_gemm__portable,
    .f32_gru = ernn_f32_gru__portable,
    .f32_lstm = ernn_f32_lstm__portable,
    .exact_gru = ernn_f32_gru__portable,
    .exact_lstm = ernn_f32_lstm__portable,
    .f32_sigmoid = ernn_f32_sigmoid__portable,
    .f32_tanh = ernn_f32_tanh__portable,
    .u8_product = u8_product__relaxed,
    .s16_product = ernn_s16_product__simd128,
    .u8_sums = u8_sums__relaxed,
    .s16_sums = ernn_s16_sums__simd128,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__portable),
    .s16_gru = ernn_s16_gru__simd128,
    .s16_lstm = ernn_s16_lstm__simd128,
};

#else
typedef int ernn_no_relaxed; /* C99 wants something in every file */
#endif
