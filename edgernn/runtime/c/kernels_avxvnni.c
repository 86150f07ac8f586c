/* kernels_avxvnni.c: x86 with AVX-VNNI, products of 256 bits (Intel from 2021 without AVX-512, such as the
 * N100; AMD from 2024).  All but the integer products is as with AVX2.
 *
 * VNNI multiplies and adds in one instruction and does not saturate.  Its latency of five cycles needs
 * ten sums in flight: a lone row therefore adds up neighbouring groups of rows apart. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_AVXVNNI

#include "kernels_intrinsics.h"

#include "kernels_x86.h"

#define AVXVNNI ERNN_TARGET("avxvnni,avx2,fma,f16c")

AVXVNNI ERNN_INLINE __m256i broadcast_quad__avxvnni(const uint8_t *x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm256_set1_epi32(quad);
}

AVXVNNI ERNN_INLINE __m256i broadcast_words__avxvnni(const int16_t *x) {
  int64_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm256_set1_epi64x(quad);
}

AVXVNNI ERNN_INLINE __m256i load_eight(const void *numbers) {
  return _mm256_loadu_si256((const __m256i *)numbers);
}

/* Four rows of the product: `m` rows of bytes times `n` vectors of 8 columns. */
AVXVNNI ERNN_INLINE void add_u8__avxvnni(__m256i *sums, const uint8_t *x, size_t x_stride,
                                         const int8_t *weights, const int m, const int n) {
  ERNN_UNROLL
  for (int j = 0; j < n; j++) {
    __m256i w = load_eight(weights + 32 * j);
    ERNN_UNROLL
    for (int i = 0; i < m; i++) {
      __m256i four = broadcast_quad__avxvnni(x + (size_t)i * x_stride);
      sums[i * n + j] = _mm256_dpbusd_avx_epi32(sums[i * n + j], four, w);
    }
  }
}

/* `m` rows of bytes times `n` vectors of 8 columns, sums of every `apart`-th quad kept apart. */
AVXVNNI ERNN_INLINE void u8_block__avxvnni(const uint8_t *x, size_t x_stride, uint32_t quads,
                                           const int8_t *weights, size_t stride,
                                           const ernn_product *product, size_t column, void *out,
                                           size_t out_stride, const int to_float, const int m,
                                           const int n, const int apart) {
  __m256i sums[12];
  ERNN_UNROLL
  for (int i = 0; i < m * n * apart; i++) sums[i] = _mm256_setzero_si256();
  uint32_t quad = 0;
  for (; quad + (uint32_t)apart <= quads; quad += (uint32_t)apart) {
    ERNN_UNROLL
    for (int a = 0; a < apart; a++, weights += stride, x += 4) {
      add_u8__avxvnni(sums + a * m * n, x, x_stride, weights, m, n);
    }
    KEEP_IN_PLACE(sums, m * n * apart);
  }
  for (; quad < quads; quad++, weights += stride, x += 4) {
    add_u8__avxvnni(sums, x, x_stride, weights, m, n);
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j += 2) {
      const int32_t *begin = product->unsigned_bias + column + 8 * (size_t)j;
      __m256i low = load_eight(begin), high = load_eight(begin + 8);
      ERNN_UNROLL
      for (int a = 0; a < apart; a++) {
        low = _mm256_add_epi32(low, sums[(a * m + i) * n + j]);
        high = _mm256_add_epi32(high, sums[(a * m + i) * n + j + 1]);
      }
      finish_tile__avx2(low, high, product, column + 8 * (size_t)j, out,
                        (size_t)i * out_stride + column + 8 * (size_t)j, to_float);
    }
  }
}

/* All rows times the `tiles` tiles whose weights begin at `weights`: three rows and two tiles at a time, or one
 * row and three tiles. */
AVXVNNI ERNN_INLINE void u8_panel__avxvnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                           uint32_t tiles, const int8_t *weights,
                                           const ernn_product *product, size_t column, uint8_t *out,
                                           size_t out_stride, const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t), stride = (size_t)tiles * 64;
  uint32_t quads = (product->rows + 3) / 4, row = 0;
#define BLOCK(m, n, apart)                                                                         \
  u8_block__avxvnni(x + row * x_stride, x_stride, quads, weights + 64 * tile, stride, product,     \
                    column + 16 * tile, out + row * out_stride * element, out_stride, to_float, m, \
                    n, apart)
  for (; row + 3 <= rows; row += 3) {
    uint32_t tile = 0;
    for (; tile + 2 <= tiles; tile += 2) BLOCK(3, 4, 1);
    if (tile < tiles) BLOCK(3, 2, 2);
  }
  for (; row < rows; row++) {
    uint32_t tile = 0;
    if (tiles == 3) {
      BLOCK(1, 6, 2);
      continue;
    }
    for (; tile + 2 <= tiles; tile += 2) BLOCK(1, 4, 3);
    if (tile < tiles) BLOCK(1, 2, 4);
  }
#undef BLOCK
}

AVXVNNI ERNN_INLINE void u8_gemm__avxvnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                          const ernn_product *product, void *out,
                                          size_t out_stride, const int to_float) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    u8_panel__avxvnni(x, x_stride, rows, taken, product->panels + (size_t)panel * 64 * quads,
                      product, (size_t)panel * ERNN_TILE, out, out_stride, to_float);
  }
}

/* Four rows of the product: `m` rows of 16-bit numbers times one tile. */
AVXVNNI ERNN_INLINE void add_s16__avxvnni(__m256i *sums, const int16_t *x, size_t x_stride,
                                          const int8_t *weights, const int m) {
  ERNN_UNROLL
  for (int j = 0; j < 4; j++) {
    const void *four_columns = weights + 16 * j;
    __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)four_columns));
    ERNN_UNROLL
    for (int i = 0; i < m; i++) {
      __m256i four = broadcast_words__avxvnni(x + (size_t)i * x_stride);
      sums[4 * i + j] = _mm256_dpwssd_avx_epi32(sums[4 * i + j], four, w);
    }
  }
}

/* `m` rows of 16-bit numbers times one tile; weights are widened on the way.  Each sum is in two neighbouring
 * lanes at first. */
AVXVNNI ERNN_INLINE void s16_block__avxvnni(const int16_t *x, size_t x_stride, uint32_t quads,
                                            const int8_t *weights, size_t stride,
                                            const ernn_product *product, size_t column, void *out,
                                            size_t out_stride, const int to_float, const int m,
                                            const int apart) {
  __m256i sums[12];
  ERNN_UNROLL
  for (int i = 0; i < 4 * m * apart; i++) sums[i] = _mm256_setzero_si256();
  uint32_t quad = 0;
  for (; quad + (uint32_t)apart <= quads; quad += (uint32_t)apart) {
    ERNN_UNROLL
    for (int a = 0; a < apart; a++, weights += stride, x += 4) {
      add_s16__avxvnni(sums + 4 * a * m, x, x_stride, weights, m);
    }
    KEEP_IN_PLACE(sums, 4 * m * apart);
  }
  for (; quad < quads; quad++, weights += stride, x += 4) {
    add_s16__avxvnni(sums, x, x_stride, weights, m);
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < 4; j++) {
      ERNN_UNROLL
      for (int a = 1; a < apart; a++) {
        sums[4 * i + j] = _mm256_add_epi32(sums[4 * i + j], sums[4 * (a * m + i) + j]);
      }
    }
    const int32_t *bias = product->bias + column;
    __m256i low = _mm256_hadd_epi32(sums[4 * i], sums[4 * i + 1]);
    __m256i high = _mm256_hadd_epi32(sums[4 * i + 2], sums[4 * i + 3]);
    low = _mm256_add_epi32(_mm256_permute4x64_epi64(low, 0xD8), load_eight(bias));
    high = _mm256_add_epi32(_mm256_permute4x64_epi64(high, 0xD8), load_eight(bias + 8));
    finish_tile__avx2(low, high, product, column, out, (size_t)i * out_stride + column, to_float);
  }
}

AVXVNNI ERNN_INLINE void s16_gemm__avxvnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                           const ernn_product *product, uint8_t *out,
                                           size_t out_stride, const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t panel = tile / product->tiles * product->tiles;
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    size_t stride = (size_t)in_panel * 64, column = (size_t)tile * ERNN_TILE;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads + (tile - panel) * 64;
    uint32_t row = 0;
    for (; row + 3 <= rows; row += 3) {
      s16_block__avxvnni(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                         out + row * out_stride * element, out_stride, to_float, 3, 1);
    }
    for (; row < rows; row++) {
      s16_block__avxvnni(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                         out + row * out_stride * element, out_stride, to_float, 1, 2);
    }
  }
}

AVXVNNI static void u8_product__avxvnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                        const ernn_product *product, int16_t *out,
                                        size_t out_stride) {
  u8_gemm__avxvnni(x, x_stride, rows, product, out, out_stride, 0);
}

AVXVNNI static void u8_sums__avxvnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                     const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__avxvnni(x, x_stride, rows, product, out, out_stride, 1);
}

AVXVNNI static void s16_product__avxvnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                         const ernn_product *product, int16_t *out,
                                         size_t out_stride) {
  s16_gemm__avxvnni(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

AVXVNNI static void s16_sums__avxvnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                      const ernn_product *product, float *out, size_t out_stride) {
  s16_gemm__avxvnni(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

const ernn_kernels ernn_kernels_avxvnni = {
    .isa = ERNN_ISA_AVXVNNI,
    .rows = &ernn_rows_avx2,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__avx2),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__avx2),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__avx2),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), DYNAMIC_GRU),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), DYNAMIC_LSTM),
    .f32_sigmoid = ernn_f32_sigmoid__avx2,
    .f32_tanh = ernn_f32_tanh__avx2,
    .u8_product = u8_product__avxvnni,
    .s16_product = s16_product__avxvnni,
    .u8_sums = u8_sums__avxvnni,
    .s16_sums = s16_sums__avxvnni,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__avx2),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__avx2),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__avx2),
};

#else
typedef int ernn_no_avxvnni; /* C99 wants something in every file */
#endif
