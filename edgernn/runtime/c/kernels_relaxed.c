/* kernels_relaxed.c: WebAssembly with relaxed SIMD (WebAssembly 3.0, -mrelaxed-simd), which has products
 * of bytes: of signed bytes w and bytes x.
 *
 * Where x needs eight bits, the standard leaves it to the engine whether x is signed (ARM) or unsigned
 * (x86), and whether the sum of two products saturates at 16 bits (x86 before AVX-VNNI), which safe
 * pairs do not reach.  So products of constants tell what an engine does, and two sets of kernels know
 * what to make of it.  An engine that does anything else has neither. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_RELAXED

#include "kernels_portable.h"
#include "kernels_simd128.h"

/* Two instructions as bytes: compilers know them from clang 16 on. */

/* i16x8.relaxed_dot_i8x16_i7x16_s: sums of two neighbours. */
ERNN_INLINE v128_t dot_of_pairs(v128_t w, v128_t x) {
  v128_t out;
  __asm__("local.get %1\n\tlocal.get %2\n\t.byte 0xfd, 0x92, 0x02\n\tlocal.set %0"
          : "=r"(out)
          : "r"(w), "r"(x));
  return out;
}

/* i32x4.relaxed_dot_i8x16_i7x16_add_s: sums + w * x.  Where x86 saturates, engines spell it in five
 * instructions. */
ERNN_INLINE v128_t fused_dot(v128_t w, v128_t x, v128_t sums) {
  v128_t out;
  __asm__(
      "local.get %1\n\tlocal.get %2\n\tlocal.get %3\n\t.byte 0xfd, 0x93, 0x02\n\tlocal.set %0"
      : "=r"(out)
      : "r"(w), "r"(x), "r"(sums));
  return out;
}

ERNN_INLINE v128_t dot__relaxed(v128_t w, v128_t x, v128_t sums, const int is_fused) {
  if (is_fused) return fused_dot(w, x, sums);
  return wasm_i32x4_add(sums, wasm_i32x4_extadd_pairwise_i16x8(dot_of_pairs(w, x)));
}

/* 127 * 255 + 127 * 255 with unsigned x, cut to 16 bits, or with x = -1. */
enum { UNSIGNED_X = 64770, SATURATED = 32767, SIGNED_X = -254 };

ERNN_INLINE int32_t kind_of(const int is_fused) {
  v128_t w = wasm_i32x4_const_splat(0x7F7F), x = wasm_i8x16_const_splat(-1);
  return wasm_i32x4_extract_lane(dot__relaxed(w, x, wasm_i32x4_const_splat(0), is_fused), 0);
}

/* Pairs are safe; with unsigned x their sums come close to the ends of 16 bits. */
static const int8_t probe_w[16] = {127, 1,  -127, -1,  64,   64, -64, -64,
                                   100, 28, -90,  -38, -128, 0,  0,   127};
static const uint8_t probe_x[16] = {255, 255, 255, 255, 128, 127, 1, 254,
                                    0,   255, 129, 200, 255, 9,   7, 128};

int ernn_has_relaxed(ernn_isa isa) {
  const int is_fused = isa == ERNN_ISA_RELAXEDDOT;
  int32_t kind = is_fused ? kind_of(1) : kind_of(0), found[4], wrong = 0;
  v128_t w = wasm_v128_load(probe_w), x = wasm_v128_load(probe_x), begin = wasm_i32x4_const_splat(-7);
  wasm_v128_store(found, is_fused ? dot__relaxed(w, x, begin, 1) : dot__relaxed(w, x, begin, 0));
  for (int lane = 0; lane < 4; lane++) {
    int32_t sum = -7;
    for (int i = 4 * lane; i < 4 * lane + 4; i++) {
      sum += probe_w[i] * (kind == SIGNED_X ? (int8_t)probe_x[i] : probe_x[i]);
    }
    wrong |= sum ^ found[lane];
  }
  if (wrong) return 0;
  return kind == UNSIGNED_X || kind == (is_fused ? SIGNED_X : SATURATED);
}

/* What the blocks of a product share. */
typedef struct rows__relaxed {
  const ernn_product *product;
  const uint8_t *x;
  size_t x_stride, plane, stride, out_bytes;
  uint32_t count;
  v128_t flipped; /* bits of bytes q + 128 that make them what the engine multiplies */
  int is_signed, to_float;
} rows__relaxed;

/* What the sums of high bytes begin with, and what is added before those of low bytes; all 32-bit numbers
 * wrap.  unsigned_bias is bias less 128 times the weights: docs/integer-arithmetic.md, section 4. */
ERNN_INLINE void starts_of_planes(const rows__relaxed *rows, size_t column, v128_t *starts, const int n) {
  const int32_t *bias = rows->product->bias + column, *less = rows->product->unsigned_bias + column;
  const v128_t is_signed = wasm_i32x4_splat(-rows->is_signed);
  for (int i = 0; i < 4 * n; i++) {
    v128_t begin = wasm_v128_load(bias + 4 * i);
    v128_t weights = wasm_i32x4_sub(wasm_v128_load(less + 4 * i), begin);
    starts[i] = wasm_v128_andnot(weights, is_signed);
    starts[4 * n + i] = wasm_i32x4_sub(begin, wasm_v128_and(weights, is_signed));
  }
}

/* All rows times `n` tiles of one panel; of planes first the high bytes, then the low ones.  Twelve sums stay
 * in registers, and hide the five cycles that a fused product takes. */
ERNN_INLINE void block__relaxed(const rows__relaxed *rows, const int8_t *weights, size_t column,
                                uint8_t *out, const int n, const int is_fused) {
  const ernn_product *product = rows->product;
  const size_t stride = rows->stride, bytes = ((size_t)product->rows + 3) / 4 * 4;
  const v128_t flipped = rows->flipped;
  const int passes = is_fused && rows->plane ? 2 : 1;
  const int32_t *begin = (rows->is_signed ? product->bias : product->unsigned_bias) + column;
  v128_t starts[24];
  if (passes == 2) {
    starts_of_planes(rows, column, starts, n);
    begin = (const int32_t *)(const void *)starts;
  }
  for (uint32_t row = 0; row < rows->count; row++, out += rows->out_bytes) {
    const uint8_t *x = rows->x + row * rows->x_stride;
    const int32_t *start = begin;
    v128_t sums[12];
    ERNN_UNROLL
    for (int j = 0; j < 4 * n; j++) sums[j] = wasm_i32x4_const_splat(0);
    for (int pass = 0; pass < passes; pass++, x += rows->plane, start += n * 16) {
      const int8_t *w4 = weights;
      ERNN_UNROLL
      for (int j = 0; j < 4 * n; j++) {
        sums[j] = wasm_i32x4_add(wasm_i32x4_shl(sums[j], 8), wasm_v128_load(start + 4 * j));
      }
      for (const uint8_t *x4 = x, *end = x + bytes; x4 < end; x4 += 4, w4 += stride) {
        OFFSETS_IN_LOADS(w4);
        v128_t four = wasm_v128_load32_splat(x4);
        if (is_fused) four = wasm_v128_xor(four, flipped);
        ERNN_UNROLL
        for (int j = 0; j < 4 * n; j++) {
          sums[j] = dot__relaxed(wasm_v128_load(w4 + 16 * j), four, sums[j], is_fused);
        }
      }
    }
    for (int i = 0; i < n; i++) {
      size_t at = column + (size_t)i * ERNN_TILE;
      finish_tile__simd128(sums + 4 * i, product, at, out, at, rows->to_float);
    }
  }
}

ERNN_INLINE void gemm__relaxed(const uint8_t *x, size_t x_stride, size_t plane, uint32_t count,
                               const ernn_product *product, uint8_t *out, size_t out_stride,
                               int to_float, const int is_fused) {
  const int is_signed = is_fused && kind_of(1) == SIGNED_X;
  const uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  rows__relaxed rows = {
      .product = product,
      .x = x,
      .x_stride = x_stride,
      .plane = plane,
      .out_bytes = out_stride * (to_float ? sizeof(float) : sizeof(int16_t)),
      .count = count,
      .flipped = wasm_i8x16_splat(is_signed ? -128 : 0),
      .is_signed = is_signed,
      .to_float = to_float,
  };
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    rows.stride = (size_t)taken * 64;
    for (uint32_t tile = 0; tile < taken;) {
      const int8_t *weights = product->panels + (size_t)panel * 64 * quads + 64 * tile;
      uint32_t left = taken - tile;
      size_t column = (size_t)(panel + tile) * ERNN_TILE;
      /* Where size counts, fewer shapes: one tile of pairs, three or one of fused products. */
      if ((left == 3 || (ERNN_IS_SMALL >= 2 && left > 3)) && (is_fused || ERNN_IS_SMALL < 2)) {
        block__relaxed(&rows, weights, column, out, 3, is_fused);
        tile += 3;
      } else if (left >= 2 && is_fused && ERNN_IS_SMALL < 2) {
        block__relaxed(&rows, weights, column, out, 2, is_fused);
        tile += 2;
      } else {
        block__relaxed(&rows, weights, column, out, 1, is_fused);
        tile += 1;
      }
    }
  }
}

/* One function for bytes and planes, Q4.11 and float32, as in kernels_simd128.c. */
ERNN_NOINLINE static void gemm__relaxeddot(const uint8_t *x, size_t x_stride, size_t plane,
                                           uint32_t rows, const ernn_product *product, uint8_t *out,
                                           size_t out_stride, int to_float) {
  gemm__relaxed(x, x_stride, plane, rows, product, out, out_stride, to_float, 1);
}

static void u8_product__relaxeddot(const uint8_t *x, size_t x_stride, uint32_t rows,
                                   const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm__relaxeddot(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 0);
}

static void u8_sums__relaxeddot(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, float *out, size_t out_stride) {
  gemm__relaxeddot(x, x_stride, 0, rows, product, (uint8_t *)out, out_stride, 1);
}

static void planes_product__relaxeddot(const uint8_t *x, size_t x_stride, size_t plane,
                                       uint32_t rows, const ernn_product *product, int16_t *out,
                                       size_t out_stride) {
  gemm__relaxeddot(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 0);
}

static void planes_sums__relaxeddot(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                    const ernn_product *product, float *out, size_t out_stride) {
  gemm__relaxeddot(x, x_stride, plane, rows, product, (uint8_t *)out, out_stride, 1);
}

ERNN_NOINLINE static void gemm_of_pairs(const uint8_t *x, size_t x_stride, uint32_t rows,
                                        const ernn_product *product, uint8_t *out,
                                        size_t out_stride, int to_float) {
  gemm__relaxed(x, x_stride, 0, rows, product, out, out_stride, to_float, 0);
}

static void u8_product__relaxed(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm_of_pairs(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

static void u8_sums__relaxed(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, float *out, size_t out_stride) {
  gemm_of_pairs(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

const ernn_kernels ernn_kernels_relaxed = {
    .isa = ERNN_ISA_RELAXED,
    .pairs_saturate = 1,
    .u8_product = u8_product__relaxed,
    .u8_sums = u8_sums__relaxed,
    KERNELS_OF_SIMD128,
};

const ernn_kernels ernn_kernels_relaxeddot = {
    .isa = ERNN_ISA_RELAXEDDOT,
    .u8_product = u8_product__relaxeddot,
    .u8_sums = u8_sums__relaxeddot,
    .planes_product = planes_product__relaxeddot,
    .planes_sums = planes_sums__relaxeddot,
    KERNELS_OF_SIMD128,
};

#else
typedef int ernn_no_relaxed; /* C99 wants something in every file */
#endif
