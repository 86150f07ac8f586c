/* kernels_simd128.h: WebAssembly kernels that more than one table or file uses. */
#ifndef KERNELS_SIMD128_H
#define KERNELS_SIMD128_H

#include <wasm_simd128.h>

#include "ernn_kernels.h"

ernn_s16_product ernn_s16_product__simd128;
ernn_s16_sums ernn_s16_sums__simd128;
ernn_s16_gru ernn_s16_gru__simd128;
ernn_s16_lstm ernn_s16_lstm__simd128;

/* ---- Instructions of relaxed SIMD ----
 *
 * The standard leaves open what they do with some operands.  Ours are none of these, except where
 * kernels_relaxed.c says so.  They stand here as bytes: compilers know all of them from clang 16 on. */
#ifdef ERNN_HAS_RELAXED
#define RELAXED_SIMD(name, opcode)                                                                \
  ERNN_INLINE v128_t name(v128_t a, v128_t b) {                                                   \
    v128_t out;                                                                                   \
    __asm__("local.get %1\n\tlocal.get %2\n\t.byte 0xfd, " opcode ", 0x02\n\tlocal.set %0"        \
            : "=r"(out)                                                                           \
            : "r"(a), "r"(b));                                                                    \
    return out;                                                                                   \
  }
RELAXED_SIMD(looked_up, "0x80")  /* i8x16.relaxed_swizzle */
RELAXED_SIMD(scaled_q15, "0x91") /* i16x8.relaxed_q15mulr_s */
#else
/* Bytes of a table; a place of 0xFF gives zero, the others are below 16. */
ERNN_INLINE v128_t looked_up(v128_t table, v128_t places) { return wasm_i8x16_swizzle(table, places); }

/* (a * b + 0x4000) >> 15; not both are -32768. */
ERNN_INLINE v128_t scaled_q15(v128_t a, v128_t b) { return wasm_i16x8_q15mulr_sat(a, b); }
#endif

/* Each number shifted by its own count, which WebAssembly has no instruction for. */
ERNN_INLINE v128_t shifted(v128_t numbers, const int32_t *counts) {
  int32_t each[4];
  wasm_v128_store(each, numbers);
  ERNN_UNROLL
  for (int i = 0; i < 4; i++) each[i] >>= counts[i];
  return wasm_v128_load(each);
}

/* What becomes of a tile's sums, four vectors in the order of lanes (columns 0-3, 8-11, 4-7,
 * 12-15): Q4.11 or float32. */
ERNN_ONE_COPY void finish_tile__simd128(const v128_t *sums, const ernn_product *product,
                                      size_t column, void *out, size_t at, int to_float) {
  if (to_float) {
    float *to = (float *)out + at;
    const float *scale = product->output_scale + column;
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) {
      v128_t scaled =
          wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums[i]), wasm_v128_load(scale + 4 * i));
      wasm_v128_store(to + (i == 1 ? 8 : i == 2 ? 4 : 4 * i), scaled);
    }
  } else {
    v128_t each[4];
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) each[i] = shifted(sums[i], product->shift + column + 4 * (size_t)i);
    int16_t *to = (int16_t *)out + at;
    const int16_t *by = product->multiplier + column;
    v128_t first = wasm_i16x8_narrow_i32x4(each[0], each[2]);
    v128_t second = wasm_i16x8_narrow_i32x4(each[1], each[3]);
    wasm_v128_store(to, scaled_q15(first, wasm_v128_load(by)));
    wasm_v128_store(to + 8, scaled_q15(second, wasm_v128_load(by + 8)));
  }
}

#endif
