/* kernels_simd128.h: WebAssembly kernels that more than one table or file uses. */
#ifndef KERNELS_SIMD128_H
#define KERNELS_SIMD128_H

#include <wasm_simd128.h>

#include "ernn_kernels.h"

ernn_s16_product ernn_s16_product__simd128;
ernn_s16_sums ernn_s16_sums__simd128;
ernn_s16_gru ernn_s16_gru__simd128;
ernn_s16_lstm ernn_s16_lstm__simd128;

/* What all tables share; kernels of layers that the library has not are left out of it. */
#define KERNELS_OF_SIMD128                                                                        \
  .rows = &ernn_rows_simd128, .s16_product = ernn_s16_product__simd128,                           \
  .s16_sums = ernn_s16_sums__simd128,                                                             \
  .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__portable),                       \
  .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__portable),                               \
  .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__portable),                            \
  .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__portable),                       \
  .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__portable),                    \
  .f32_sigmoid = ernn_f32_sigmoid__portable, .f32_tanh = ernn_f32_tanh__portable,                 \
  .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__portable),                                \
  .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__simd128),                               \
  .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__simd128)

/* In a loop: clang else adds the distances from a pointer to what is loaded, which loads do for nothing. */
#define OFFSETS_IN_LOADS(pointer) __asm__("" : "+r"(pointer))

/* Instructions of relaxed SIMD, as bytes: compilers know them from clang 16 on.  What the standard leaves
 * open is no case of ours: a place of 0xFF gives zero, the others are below 16; not both factors are -32768. */
#if defined(ERNN_HAS_RELAXED) && ERNN_IS_SMALL < 2
#define RELAXED_PAIR(name, opcode)                                                                \
  ERNN_INLINE v128_t name(v128_t a, v128_t b) {                                                   \
    v128_t out;                                                                                   \
    __asm__("local.get %1\n\tlocal.get %2\n\t.byte 0xfd, " opcode ", 0x02\n\tlocal.set %0"        \
            : "=r"(out)                                                                           \
            : "r"(a), "r"(b));                                                                    \
    return out;                                                                                   \
  }
RELAXED_PAIR(looked_up, "0x80")  /* i8x16.relaxed_swizzle */
RELAXED_PAIR(scaled_q15, "0x91") /* i16x8.relaxed_q15mulr_s */
#else
ERNN_INLINE v128_t looked_up(v128_t table, v128_t places) { return wasm_i8x16_swizzle(table, places); }
ERNN_INLINE v128_t scaled_q15(v128_t a, v128_t b) { return wasm_i16x8_q15mulr_sat(a, b); }
#endif

/* Each number shifted by its own count of up to FAR__simd128, which WebAssembly has no instruction for. */
#if defined(ERNN_HAS_RELAXED) && ERNN_IS_SMALL < 2
enum { FAR__simd128 = 30 };

/* Of 64 bits: the number times 2^(30 - count), whose lowest 30 bits are cut off. */
ERNN_INLINE v128_t shifted(v128_t numbers, v128_t counts) {
  v128_t exponents = wasm_i32x4_sub(wasm_i32x4_const_splat((127 + 30) << 23), wasm_i32x4_shl(counts, 23));
  v128_t powers; /* i32x4.relaxed_trunc_f32x4_s */
  __asm__("local.get %1\n\t.byte 0xfd, 0x81, 0x02\n\tlocal.set %0" : "=r"(powers) : "r"(exponents));
  v128_t low = wasm_u64x2_shr(wasm_i64x2_extmul_low_i32x4(numbers, powers), 30);
  v128_t high = wasm_u64x2_shr(wasm_i64x2_extmul_high_i32x4(numbers, powers), 30);
  return wasm_i32x4_shuffle(low, high, 0, 2, 4, 6);
}
#else
enum { FAR__simd128 = 16 };

/* Its two halves times 2^(16 - count), in 16 more bits. */
ERNN_INLINE v128_t shifted(v128_t numbers, v128_t counts) {
  v128_t exponents = wasm_i32x4_sub(wasm_i32x4_const_splat((127 + 16) << 23), wasm_i32x4_shl(counts, 23));
  const v128_t shifter = wasm_f32x4_const_splat(8388608.0f); /* 2^23: adding it shows them as bits */
  v128_t powers = wasm_v128_xor(wasm_f32x4_add(exponents, shifter), shifter);
  v128_t low = wasm_i32x4_mul(wasm_v128_and(numbers, wasm_i32x4_const_splat(0xFFFF)), powers);
  v128_t high = wasm_i32x4_mul(wasm_i32x4_shr(numbers, 16), powers);
  return wasm_i32x4_add(high, wasm_u32x4_shr(low, 16));
}
#endif

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
    v128_t each[4], counts[4];
    const int32_t *shift = product->shift + column;
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) {
      each[i] = sums[i];
      counts[i] = wasm_v128_load(shift + 4 * i);
    }
    v128_t all = wasm_v128_or(wasm_v128_or(counts[0], counts[1]), wasm_v128_or(counts[2], counts[3]));
    const v128_t bit = wasm_i32x4_const_splat(16);
    if (FAR__simd128 < 24 && wasm_v128_any_true(wasm_v128_and(all, bit))) { /* rare: 16 to 24 */
      ERNN_UNROLL
      for (int i = 0; i < 4; i++) {
        v128_t far = wasm_v128_and(counts[i], bit);
        counts[i] = wasm_i32x4_sub(counts[i], wasm_u32x4_shr(far, 1));
        each[i] = wasm_v128_bitselect(wasm_i32x4_shr(each[i], 8), each[i], wasm_i32x4_eq(far, bit));
      }
    }
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) each[i] = shifted(each[i], counts[i]);
    int16_t *to = (int16_t *)out + at;
    const int16_t *by = product->multiplier + column;
    v128_t first = wasm_i16x8_narrow_i32x4(each[0], each[2]);
    v128_t second = wasm_i16x8_narrow_i32x4(each[1], each[3]);
    wasm_v128_store(to, scaled_q15(first, wasm_v128_load(by)));
    wasm_v128_store(to + 8, scaled_q15(second, wasm_v128_load(by + 8)));
  }
}

#endif
