/* kernels_nibbles_avx512vnni.c: weights of 4 bits on x86 with AVX-512 and VNNI. */

#include "ernn_kernels.h"

#if defined(ERNN_HAS_AVX512) && ERNN_HAS_NIBBLES

#include "kernels_avx512.h"
#include "kernels_nibbles.h"

AVX512 ERNN_INLINE __m512i nibble_zero__avx512vnni(void) { return _mm512_setzero_si512(); }
AVX512 ERNN_INLINE __m512i nibble_load__avx512vnni(const int32_t *from) { return load_bytes(from); }
AVX512 ERNN_INLINE __m512i nibble_add__avx512vnni(__m512i a, __m512i b) {
  return _mm512_add_epi32(a, b);
}
AVX512 ERNN_INLINE __m512i nibble_sub__avx512vnni(__m512i a, __m512i b) {
  return _mm512_sub_epi32(a, b);
}
AVX512 ERNN_INLINE __m512i nibble_times256__avx512vnni(__m512i a) {
  return _mm512_slli_epi32(a, 8);
}
AVX512 ERNN_INLINE __m512i nibble_all__avx512vnni(uint32_t quad) {
  return _mm512_set1_epi32((int)quad);
}

/* As signed bytes 16 n: (16 (n + 8)) ^ 128, a mask and an exclusive or in one instruction. */
AVX512 ERNN_INLINE void nibble_unpack__avx512vnni(const uint8_t *pack, __m512i *low,
                                                  __m512i *high) {
  const __m512i mask = _mm512_set1_epi8((char)0xF0), sign = _mm512_set1_epi8((char)0x80);
  __m512i both = load_bytes(pack);
  *low = _mm512_ternarylogic_epi32(_mm512_slli_epi16(both, 4), mask, sign, 0x6A);
  *high = _mm512_ternarylogic_epi32(both, mask, sign, 0x6A); /* (a & b) ^ c */
}

AVX512 ERNN_INLINE __m512i nibble_plane__avx512vnni(const uint8_t *words, uint32_t bytes) {
  __m512i both = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)words));
  both = _mm512_xor_si512(both, _mm512_set1_epi16((short)0x8000));
  return _mm512_shuffle_epi8(both, _mm512_set1_epi32((int)bytes));
}

/* Begun at zero: the products of one turn do not wait for those of the turn before. */
AVX512 ERNN_INLINE __m512i nibble_dot__avx512vnni(__m512i sum, const __m512i *x,
                                                  const __m512i *w) {
  __m512i turn = _mm512_dpbusd_epi32(_mm512_setzero_si512(), x[0], w[0]);
  turn = _mm512_dpbusd_epi32(turn, x[1], w[1]);
  turn = _mm512_dpbusd_epi32(turn, x[2], w[2]);
  return _mm512_add_epi32(sum, _mm512_dpbusd_epi32(turn, x[3], w[3]));
}

AVX512 ERNN_INLINE __m512i nibble_weighted__avx512vnni(__m512i sum, uint32_t inputs) {
  (void)inputs; /* the weights were signed */
  return sum;
}

AVX512 ERNN_INLINE void nibble_finish__avx512vnni(const __m512i *sums, const ernn_product *product,
                                                  size_t column, void *out, size_t at,
                                                  int to_float) {
  finish_tile__avx512(sums[0], product, column, out, at, to_float);
}

ERNN_NIBBLE_KERNELS(AVX512, avx512vnni, __m512i, 1, 4, 2, 4, 0, 1)
ERNN_NIBBLE_GEMM(AVX512, avx512vnni)

#else
typedef int ernn_no_nibbles_avx512vnni; /* C99 wants something in every file */
#endif
