/* kernels_avx512.h: what the files of AVX-512 kernels share. */
#ifndef KERNELS_AVX512_H
#define KERNELS_AVX512_H

#include "kernels_intrinsics.h"

#include "kernels_x86.h"

#define AVX512_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"
#define AVX512 ERNN_TARGET(AVX512_FEATURES)

ernn_f32_gemm ernn_f32_gemm__avx512vnni;
ernn_u8_product ernn_u8_product__avx512vnni;
ernn_s16_product ernn_s16_product__avx512vnni;
ernn_u8_sums ernn_u8_sums__avx512vnni;
ernn_s16_sums ernn_s16_sums__avx512vnni;
ernn_planes_product ernn_planes_product__avx512vnni;
ernn_planes_sums ernn_planes_sums__avx512vnni;
ernn_s16_gru ernn_s16_gru__avx512;
ernn_s16_lstm ernn_s16_lstm__avx512;
ernn_u8_gru ernn_u8_gru__avx512;
ernn_u8_lstm ernn_u8_lstm__avx512;
ernn_u8_dynamic_gru ernn_u8_dynamic_gru__avx512;
ernn_u8_dynamic_lstm ernn_u8_dynamic_lstm__avx512;
ernn_f32_gru ernn_f32_gru__avx512;
ernn_dynamic_gru ernn_dynamic_gru__avx512;
ernn_f32_lstm ernn_f32_lstm__avx512;
ernn_dynamic_lstm ernn_dynamic_lstm__avx512;

AVX512 ERNN_INLINE __m512i load_bytes(const void *bytes) { return _mm512_loadu_si512(bytes); }

AVX512 ERNN_INLINE __m512i broadcast_quad__avx512(const uint8_t *x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm512_set1_epi32(quad);
}

/* Where sums of `planes` planes of bytes begin: 128 or 32768 times the weights are taken off. */
AVX512 ERNN_INLINE __m512i begin_of(const ernn_product *product, size_t column, const int planes) {
  __m512i begin = load_bytes(product->unsigned_bias + column);
  if (planes == 1) return begin;
  __m512i bias = load_bytes(product->bias + column);
  return _mm512_add_epi32(bias, _mm512_slli_epi32(_mm512_sub_epi32(begin, bias), 8));
}

/* What becomes of a tile's sums (in the order of lanes): Q4.11 or float32. */
typedef struct tile_end {
  __m512i shift;
  __m256i multiplier;
  __m512 scale;
} tile_end;

AVX512 ERNN_INLINE tile_end tile_end_of(const ernn_product *product, size_t column, const int to_float) {
  tile_end end;
  const void *multiplier = product->multiplier + column;
  if (to_float) {
    end.scale = _mm512_loadu_ps(product->output_scale + column);
  } else {
    end.shift = load_bytes(product->shift + column);
    end.multiplier = _mm256_loadu_si256((const __m256i *)multiplier);
  }
  return end;
}

AVX512 ERNN_INLINE void end_tile(__m512i sums, const tile_end *end, void *out, size_t at,
                                 const int to_float) {
  if (to_float) {
    __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), end->scale);
    _mm512_storeu_ps((float *)out + at, _mm512_shuffle_f32x4(scaled, scaled, 0xD8));
  } else {
    __m512i shifted = _mm512_srav_epi32(sums, end->shift);
    __m256i narrow = _mm256_permute4x64_epi64(_mm512_cvtsepi32_epi16(shifted), 0xD8);
    narrow = _mm256_mulhrs_epi16(narrow, end->multiplier);
    _mm256_storeu_si256((__m256i *)(void *)((int16_t *)out + at), narrow);
  }
}

AVX512 ERNN_INLINE void finish_tile__avx512(__m512i sums, const ernn_product *product, size_t column,
                                    void *out, size_t at, const int to_float) {
  tile_end end = tile_end_of(product, column, to_float);
  end_tile(sums, &end, out, at, to_float);
}

#endif
