/* kernels_nibbles_avx2.c: weights of 4 bits on x86 with AVX2. */

#include "ernn_kernels.h"

#if defined(ERNN_HAS_X86) && ERNN_HAS_NIBBLES

#include "kernels_intrinsics.h"

#include "kernels_nibbles.h"
#include "kernels_x86.h"

AVX2 ERNN_INLINE __m256i nibble_zero__avx2(void) { return _mm256_setzero_si256(); }
AVX2 ERNN_INLINE __m256i nibble_load__avx2(const int32_t *from) {
  return _mm256_loadu_si256((const __m256i *)(const void *)from);
}
AVX2 ERNN_INLINE __m256i nibble_add__avx2(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
AVX2 ERNN_INLINE __m256i nibble_sub__avx2(__m256i a, __m256i b) { return _mm256_sub_epi32(a, b); }
AVX2 ERNN_INLINE __m256i nibble_times256__avx2(__m256i a) { return _mm256_slli_epi32(a, 8); }
AVX2 ERNN_INLINE __m256i nibble_all__avx2(uint32_t quad) { return _mm256_set1_epi32((int)quad); }

AVX2 ERNN_INLINE void nibble_unpack__avx2(const uint8_t *pack, __m256i *low, __m256i *high) {
  const __m256i mask = _mm256_set1_epi8(15);
  __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)pack);
  *low = _mm256_and_si256(both, mask);
  *high = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
}

AVX2 ERNN_INLINE __m256i nibble_plane__avx2(const uint8_t *words, uint32_t bytes) {
  __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)words));
  both = _mm256_xor_si256(both, _mm256_set1_epi16((short)0x8000));
  return _mm256_shuffle_epi8(both, _mm256_set1_epi32((int)bytes));
}

/* Eight products of at most 255 * 15 fit 16 bits. */
AVX2 ERNN_INLINE __m256i nibble_dot__avx2(__m256i sum, const __m256i *x, const __m256i *w) {
  __m256i pairs =
      _mm256_add_epi16(_mm256_maddubs_epi16(x[0], w[0]), _mm256_maddubs_epi16(x[1], w[1]));
  pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(x[2], w[2]));
  pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(x[3], w[3]));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

AVX2 ERNN_INLINE __m256i nibble_weighted__avx2(__m256i sum, uint32_t inputs) {
  return _mm256_slli_epi32(_mm256_sub_epi32(sum, _mm256_set1_epi32((int)(8 * inputs))), 4);
}

AVX2 ERNN_INLINE void nibble_finish__avx2(const __m256i *sums, const ernn_product *product,
                                          size_t column, void *out, size_t at, int to_float) {
  finish_tile__avx2(sums[0], sums[1], product, column, out, at, to_float);
}

/* A row at a time with ERNN_SMALL. */
ERNN_NIBBLE_KERNELS(AVX2, avx2, __m256i, 2, (ERNN_IS_SMALL ? 1 : 4), 1, 4, 1, 0)

/* The bytes of `count` words q + 32768: high ones at `planes`, then the low ones. */
AVX2 ERNN_INLINE void split_words(const uint8_t *words, uint32_t count, uint8_t *planes) {
  const __m128i sign = _mm_set1_epi16((short)0x8000), low_bytes = _mm_set1_epi16(0xFF);
  uint32_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const void *from = words + 2 * (size_t)i;
    __m128i eight = _mm_xor_si128(_mm_loadu_si128((const __m128i *)from), sign);
    __m128i high = _mm_srli_epi16(eight, 8), low = _mm_and_si128(eight, low_bytes);
    _mm_storel_epi64((__m128i *)(void *)(planes + i), _mm_packus_epi16(high, high));
    _mm_storel_epi64((__m128i *)(void *)(planes + count + i), _mm_packus_epi16(low, low));
  }
  for (; i < count; i++) {
    planes[i] = words[2 * (size_t)i + 1] ^ 0x80;
    planes[count + i] = words[2 * (size_t)i];
  }
}

/* Words are split once for all weights: shuffled for each tile they cost as much as the products. */
enum { SPLIT_BYTES = 1536 };

AVX2 ERNN_NOINLINE static void nibble_split__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                                                  const ernn_product *product, uint8_t *out,
                                                  size_t out_stride, int to_float) {
  const uint32_t count = (product->rows + 3) / 4 * 4;
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t most = SPLIT_BYTES / (2 * count);
  uint8_t planes[SPLIT_BYTES];
  most = most > NIBBLE_ROWS ? NIBBLE_ROWS : most / 2 * 2; /* blocks of planes have two rows */
  for (uint32_t row = 0; row < rows; row += most) {
    uint32_t taken = rows - row < most ? rows - row : most;
    for (uint32_t i = 0; i < taken; i++) {
      split_words(x + (row + i) * x_stride, count, planes + 2 * (size_t)i * count);
    }
    nibble_rows__avx2(planes, 2 * (size_t)count, count, taken, product,
                      out + row * out_stride * element, out_stride, to_float,
                      ERNN_NIBBLES_OF_PLANES, 2);
  }
}

AVX2 void ernn_nibble_gemm__avx2(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                 const ernn_product *product, void *out, size_t out_stride,
                                 int to_float, ernn_nibble_form form) {
  if (form == ERNN_NIBBLES_OF_WORDS && product->rows <= SPLIT_BYTES / 4) {
    nibble_split__avx2(x, x_stride, rows, product, (uint8_t *)out, out_stride, to_float);
  } else {
    nibble_gemm__avx2(x, x_stride, plane, rows, product, out, out_stride, to_float, form);
  }
}

#else
typedef int ernn_no_nibbles_avx2; /* C99 wants something in every file */
#endif
