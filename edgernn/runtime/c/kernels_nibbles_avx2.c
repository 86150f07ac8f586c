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

/* ---- Words ----
 *
 * Sixteen bits of packed weights are four: of a column, rows r and r + 1 of one quad and of the next.
 * Shifted and masked they are words, which vpmaddwd takes two by two: rows 0 and 2, or 1 and 3. */

enum { ORDERED_BYTES = 2048 }; /* 1024 words */

/* Rows of words in the order 0, 2, 1, 3 of each four, one after the other. */
typedef struct ordered_words {
  const uint8_t *words;
  const uint32_t *inputs; /* the sum of each row */
  size_t bytes;           /* of a row: with zeros up to a multiple of eight words */
} ordered_words;

/* Copies `quads` times four words; returns their sum. */
AVX2 ERNN_INLINE uint32_t order_words(const uint8_t *words, uint32_t quads, uint8_t *to) {
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
  const __m128i ones = _mm_set1_epi16(1);
  __m128i sums = _mm_setzero_si128();
  for (uint32_t quad = 0; quad < quads; quad += 2, words += 16, to += 16) {
    const __m128i *from = (const __m128i *)(const void *)words;
    __m128i eight = quad + 1 < quads ? _mm_loadu_si128(from) : _mm_loadl_epi64(from);
    sums = _mm_add_epi32(sums, _mm_madd_epi16(eight, ones));
    _mm_storeu_si128((__m128i *)(void *)to, _mm_shuffle_epi8(eight, order));
  }
  sums = _mm_add_epi32(sums, _mm_srli_si128(sums, 8));
  return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_srli_si128(sums, 4)));
}

/* Adds what `m` rows of eight words give with the weights of eight columns. */
AVX2 ERNN_INLINE void words_pack(__m256i *sums, const uint8_t *words, size_t bytes,
                                 const uint8_t *pack, const int m) {
  const __m256i mask = _mm256_set1_epi16(15);
  __m256i all = _mm256_loadu_si256((const __m256i *)(const void *)pack);
  __m256i w[4] = {_mm256_and_si256(all, mask), _mm256_and_si256(_mm256_srli_epi16(all, 8), mask),
                  _mm256_and_si256(_mm256_srli_epi16(all, 4), mask), _mm256_srli_epi16(all, 12)};
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int k = 0; k < 4; k++) {
      __m256i two = nibble_all__avx2(nibble_quad(words + (size_t)i * bytes + 4 * k));
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(two, w[k]));
    }
  }
}

/* Where the sum of products with n + 8 begins, to be one with n. */
AVX2 ERNN_INLINE __m256i words_begin(uint32_t inputs) {
  return _mm256_set1_epi32((int)(0u - 8 * inputs));
}

AVX2 ERNN_INLINE void words_finish(__m256i low, __m256i high, const ernn_product *product,
                                   size_t column, void *out, size_t at, int to_float) {
  low = _mm256_add_epi32(_mm256_slli_epi32(low, 4), nibble_load__avx2(product->bias + column));
  high = _mm256_add_epi32(_mm256_slli_epi32(high, 4), nibble_load__avx2(product->bias + column + 8));
  finish_tile__avx2(low, high, product, column, out, at, to_float);
}

/* `m` rows times one tile, one half of its columns after the other: more rows share the unpacked. */
AVX2 ERNN_INLINE void words_rows(const ordered_words *x, uint32_t row, const ernn_product *product,
                                 const uint8_t *weights, size_t stride, size_t column, void *out,
                                 size_t out_stride, int to_float, const int m) {
  const uint32_t packs = nibble_packs(product->rows);
  __m256i halves[2][8];
  for (int half = 0; half < 2; half++) {
    const uint8_t *words = x->words + row * x->bytes, *pack = weights + 32 * half;
    __m256i sums[8];
    ERNN_UNROLL
    for (int i = 0; i < m; i++) sums[i] = words_begin(x->inputs[row + (uint32_t)i]);
    for (uint32_t i = 0; i < packs; i++, words += 16, pack += stride) {
      words_pack(sums, words, x->bytes, pack, m);
      KEEP_IN_PLACE(sums, m);
    }
    ERNN_UNROLL
    for (int i = 0; i < m; i++) halves[half][i] = sums[i];
  }
  for (int i = 0; i < m; i++) {
    words_finish(halves[0][i], halves[1][i], product, column, out,
                 (row + (size_t)i) * out_stride + column, to_float);
  }
}

/* One row times `n` tiles. */
AVX2 ERNN_INLINE void words_row(const ordered_words *x, uint32_t row, const ernn_product *product,
                                const uint8_t *weights, size_t stride, size_t column, void *out,
                                size_t out_stride, int to_float, const int n) {
  const uint32_t packs = nibble_packs(product->rows);
  const uint8_t *words = x->words + row * x->bytes;
  __m256i sums[4];
  ERNN_UNROLL
  for (int j = 0; j < 2 * n; j++) sums[j] = words_begin(x->inputs[row]);
  for (uint32_t i = 0; i < packs; i++, words += 16, weights += stride) {
    ERNN_UNROLL
    for (int j = 0; j < 2 * n; j++) words_pack(sums + j, words, 0, weights + 32 * j, 1);
    KEEP_IN_PLACE(sums, 2 * n);
  }
  ERNN_UNROLL
  for (int j = 0; j < n; j++) {
    size_t at = column + 16 * (size_t)j;
    words_finish(sums[2 * j], sums[2 * j + 1], product, at, out, row * out_stride + at, to_float);
  }
}

AVX2 ERNN_INLINE void words_panel(const ordered_words *x, uint32_t rows, const ernn_product *product,
                                  const uint8_t *weights, uint32_t tiles, size_t column, void *out,
                                  size_t out_stride, int to_float) {
  const size_t stride = (size_t)tiles * 64;
  for (uint32_t tile = 0, taken = 1; tile < tiles; tile += taken) {
    const uint8_t *from = weights + 64 * tile;
    const size_t at = column + ERNN_TILE * (size_t)tile;
    uint32_t row = 0;
    taken = !ERNN_IS_SMALL && rows == 1 && tile + 1 < tiles ? 2 : 1;
    if (taken == 2) {
      words_row(x, 0, product, from, stride, at, out, out_stride, to_float, 2);
      continue;
    }
    for (; !ERNN_IS_SMALL && row + 8 <= rows; row += 8) {
      words_rows(x, row, product, from, stride, at, out, out_stride, to_float, 8);
    }
    for (; row + 4 <= rows; row += 4) {
      words_rows(x, row, product, from, stride, at, out, out_stride, to_float, 4);
    }
    for (; row < rows; row++) {
      words_row(x, row, product, from, stride, at, out, out_stride, to_float, 1);
    }
  }
}

AVX2 ERNN_NOINLINE static void nibble_words__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                                                  const ernn_product *product, uint8_t *out,
                                                  size_t out_stride, int to_float) {
  const uint32_t packs = nibble_packs(product->rows), tiles = product->columns / ERNN_TILE;
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint8_t words[ORDERED_BYTES];
  uint32_t inputs[NIBBLE_ROWS], most = ORDERED_BYTES / (16 * packs);
  const ordered_words ordered = {words, inputs, 16 * (size_t)packs};
  most = most >= NIBBLE_ROWS ? NIBBLE_ROWS : most >= 4 ? most / 4 * 4 : most;
  for (uint32_t row = 0; row < rows; row += most, x += most * x_stride) {
    uint32_t taken = rows - row < most ? rows - row : most;
    for (uint32_t i = 0; i < taken; i++) {
      inputs[i] = order_words(x + i * x_stride, (product->rows + 3) / 4, words + i * ordered.bytes);
    }
    for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
      uint32_t width = tiles - panel < product->tiles ? tiles - panel : product->tiles;
      const uint8_t *weights = (const uint8_t *)product->panels + (size_t)panel * 64 * packs;
      words_panel(&ordered, taken, product, weights, width, (size_t)panel * ERNN_TILE,
                  out + row * out_stride * element, out_stride, to_float);
    }
  }
}

AVX2 void ernn_nibble_gemm__avx2(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                 const ernn_product *product, void *out, size_t out_stride,
                                 int to_float, ernn_nibble_form form) {
  if (form == ERNN_NIBBLES_OF_WORDS && 16 * nibble_packs(product->rows) <= ORDERED_BYTES) {
    nibble_words__avx2(x, x_stride, rows, product, (uint8_t *)out, out_stride, to_float);
  } else {
    nibble_gemm__avx2(x, x_stride, plane, rows, product, out, out_stride, to_float, form);
  }
}

#else
typedef int ernn_no_nibbles_avx2; /* C99 wants something in every file */
#endif
