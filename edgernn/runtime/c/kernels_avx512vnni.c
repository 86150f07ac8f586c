/* kernels_avx512vnni.c: x86 with AVX-512 and VNNI (Intel from 2019, AMD from 2022).  VNNI multiplies and
 * adds in one instruction and does not saturate.  Its latency of five cycles needs ten sums in flight: a
 * lone row adds up every fourth group of rows apart, which exact integers allow. */
#include "ernn_kernels.h"

#ifdef ERNN_HAS_AVX512

#include "kernels_avx512.h"
#include "kernels_rows.h"

/* ---- float32 ---- */

/* Sixteen weights as float32. */
AVX512 ERNN_INLINE __m512 load_weights__avx512vnni(const void *weights, size_t index, uint32_t type) {
  if (type == ERNN_MATRIX_F32) return _mm512_loadu_ps((const float *)weights + index);
  if (type == ERNN_MATRIX_F16) {
    const void *halves = (const uint16_t *)weights + index;
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
  }
  const void *bytes = (const int8_t *)weights + index;
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)bytes)));
}

/* `m` rows of x times `n` tiles; as in kernels_avx2.c. */
AVX512 ERNN_INLINE void f32_block__avx512vnni(const float *x, size_t x_stride, const ernn_matrix *matrix,
                                  size_t first, uint32_t type, size_t column, const float *bias,
                                  float *out, size_t out_stride, const int m, const int n) {
  __m512 sums[16];
  ERNN_UNROLL
  for (int i = 0; i < m * n; i++) sums[i] = _mm512_setzero_ps();
  for (uint32_t k = 0; k < matrix->rows; k++, first += 16 * (size_t)n) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      __m512 w = load_weights__avx512vnni(matrix->panels, first + 16 * (size_t)j, type);
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        __m512 value = _mm512_set1_ps(x[(size_t)i * x_stride + k]);
        sums[i * n + j] = _mm512_fmadd_ps(value, w, sums[i * n + j]);
      }
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      size_t at = column + 16 * (size_t)j;
      __m512 sum = sums[i * n + j];
      if (type == ERNN_MATRIX_S8) sum = _mm512_mul_ps(sum, _mm512_loadu_ps(matrix->scales + at));
      if (bias) sum = _mm512_add_ps(sum, _mm512_loadu_ps(bias + at));
      _mm512_storeu_ps(out + (size_t)i * out_stride + at, sum);
    }
  }
}

/* A lone row times two panels of n tiles of floats: the sums of one are too few for what a fused product
 * and sum takes.  Each is added up in order, as in a block. */
AVX512 ERNN_INLINE void f32_two_panels(const float *x, const ernn_matrix *matrix, size_t column,
                                       const float *bias, float *out, const int n) {
  const size_t apart = 16 * (size_t)n * matrix->rows;
  const float *weights = (const float *)matrix->panels + column * matrix->rows;
  __m512 sums[8];
  ERNN_UNROLL
  for (int j = 0; j < 2 * n; j++) sums[j] = _mm512_setzero_ps();
  for (uint32_t k = 0; k < matrix->rows; k++, weights += 16 * n) {
    __m512 value = _mm512_set1_ps(x[k]);
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      sums[j] = _mm512_fmadd_ps(value, _mm512_loadu_ps(weights + 16 * j), sums[j]);
      sums[n + j] = _mm512_fmadd_ps(value, _mm512_loadu_ps(weights + apart + 16 * j), sums[n + j]);
    }
    KEEP_IN_PLACE(sums, 2 * n);
  }
  ERNN_UNROLL
  for (int j = 0; j < 2 * n; j++) {
    size_t at = column + 16 * (size_t)j;
    if (bias) sums[j] = _mm512_add_ps(sums[j], _mm512_loadu_ps(bias + at));
    _mm512_storeu_ps(out + at, sums[j]);
  }
}

AVX512 ERNN_INLINE void f32_columns__avx512vnni(const float *x, size_t x_stride, uint32_t rows,
                                    const ernn_matrix *matrix, size_t first, uint32_t type,
                                    size_t column, const float *bias, float *out,
                                    size_t out_stride, const int n) {
  uint32_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    f32_block__avx512vnni(x + row * x_stride, x_stride, matrix, first, type, column, bias,
              out + row * out_stride, out_stride, 4, n);
  }
  for (; row < rows; row++) {
    f32_block__avx512vnni(x + row * x_stride, x_stride, matrix, first, type, column, bias,
              out + row * out_stride, out_stride, 1, n);
  }
}

AVX512 ERNN_INLINE void f32_gemm_of__avx512vnni(const float *x, size_t x_stride, uint32_t rows,
                                    const ernn_matrix *matrix, uint32_t type, const float *bias,
                                    float *out, size_t out_stride) {
  uint32_t tiles = matrix->columns / ERNN_TILE;
  for (uint32_t panel = 0; panel < tiles; panel += matrix->tiles) {
    uint32_t taken = tiles - panel < matrix->tiles ? tiles - panel : matrix->tiles;
    size_t column = (size_t)panel * ERNN_TILE, first = column * matrix->rows;
    if (type == ERNN_MATRIX_F32 && rows == 1 && taken >= 3 && tiles - panel >= 2 * taken) {
      if (taken == 3) f32_two_panels(x, matrix, column, bias, out, 3);
      if (taken == 4) f32_two_panels(x, matrix, column, bias, out, 4);
      panel += matrix->tiles;
      continue;
    }
    switch (taken) {
      case 1:
        f32_columns__avx512vnni(x, x_stride, rows, matrix, first, type, column, bias, out, out_stride, 1);
        break;
      case 2:
        f32_columns__avx512vnni(x, x_stride, rows, matrix, first, type, column, bias, out, out_stride, 2);
        break;
      case 3:
        f32_columns__avx512vnni(x, x_stride, rows, matrix, first, type, column, bias, out, out_stride, 3);
        break;
      default:
        f32_columns__avx512vnni(x, x_stride, rows, matrix, first, type, column, bias, out, out_stride, 4);
    }
  }
}

AVX512 void ernn_f32_gemm__avx512vnni(const float *x, size_t x_stride, uint32_t rows,
                                        const ernn_matrix *matrix, const float *bias, float *out,
                                        size_t out_stride) {
  switch (matrix->type) {
    case ERNN_MATRIX_F32:
      f32_gemm_of__avx512vnni(x, x_stride, rows, matrix, ERNN_MATRIX_F32, bias, out, out_stride);
      break;
    case ERNN_MATRIX_F16:
      f32_gemm_of__avx512vnni(x, x_stride, rows, matrix, ERNN_MATRIX_F16, bias, out, out_stride);
      break;
    default: f32_gemm_of__avx512vnni(x, x_stride, rows, matrix, ERNN_MATRIX_S8, bias, out, out_stride);
  }
}

/* ---- Integers: the specification is docs/integer-arithmetic.md ---- */

AVX512 ERNN_INLINE __m512i broadcast_words__avx512vnni(const int16_t *x) {
  int64_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm512_set1_epi64(quad);
}

/* `m` rows of `planes` planes of bytes times `n` tiles, sums of every `apart`-th quad kept apart. */
AVX512 ERNN_INLINE void u8_block__avx512vnni(const uint8_t *x, size_t x_stride, size_t plane, uint32_t quads,
                                 const int8_t *weights, const ernn_product *product, size_t column,
                                 void *out, size_t out_stride, const int to_float, const int planes,
                                 const int m, const int n, const int apart) {
  __m512i sums[16];
  const int all = m * planes;
  ERNN_UNROLL
  for (int j = 0; j < n; j++) {
    __m512i begin = begin_of(product, column + 16 * (size_t)j, planes);
    ERNN_UNROLL
    for (int i = 0; i < all * apart; i++) { /* in the lower plane of each row, once */
      int begins = i < all && i % planes == planes - 1;
      sums[i * n + j] = begins ? begin : _mm512_setzero_si512();
    }
  }
  uint32_t quad = 0;
  for (; quad + (uint32_t)apart <= quads; quad += (uint32_t)apart) {
    ERNN_UNROLL
    for (int a = 0; a < apart; a++, weights += 64 * n, x += 4) {
      ERNN_UNROLL
      for (int j = 0; j < n; j++) {
        __m512i w = load_bytes(weights + 64 * j);
        ERNN_UNROLL
        for (int i = 0; i < all; i++) {
          const uint8_t *from = x + (size_t)(i / planes) * x_stride + (size_t)(i % planes) * plane;
          __m512i *sum = &sums[(a * all + i) * n + j];
          *sum = _mm512_dpbusd_epi32(*sum, broadcast_quad__avx512(from), w);
        }
      }
    }
    KEEP_IN_PLACE(sums, all * n * apart);
  }
  for (; quad < quads; quad++, weights += 64 * n, x += 4) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      __m512i w = load_bytes(weights + 64 * j);
      ERNN_UNROLL
      for (int i = 0; i < all; i++) {
        const uint8_t *from = x + (size_t)(i / planes) * x_stride + (size_t)(i % planes) * plane;
        sums[i * n + j] = _mm512_dpbusd_epi32(sums[i * n + j], broadcast_quad__avx512(from), w);
      }
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < all * n; i++) {
    ERNN_UNROLL
    for (int a = 1; a < apart; a++) sums[i] = _mm512_add_epi32(sums[i], sums[a * all * n + i]);
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      size_t at = column + 16 * (size_t)j;
      __m512i sum = sums[i * planes * n + j];
      if (planes == 2) {
        sum = _mm512_add_epi32(_mm512_slli_epi32(sum, 8), sums[(i * planes + 1) * n + j]);
      }
      finish_tile__avx512(sum, product, at, out, (size_t)i * out_stride + at, to_float);
    }
  }
}

AVX512 ERNN_INLINE void u8_columns__avx512vnni(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                   const int8_t *weights, const ernn_product *product,
                                   size_t column, uint8_t *out, size_t out_stride,
                                   const int to_float, const int planes, const int n) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  const uint32_t block = planes == 1 ? 4 : 2;
  uint32_t quads = (product->rows + 3) / 4, row = 0;
  for (; row + block <= rows; row += block) {
    u8_block__avx512vnni(x + row * x_stride, x_stride, plane, quads, weights, product, column,
             out + row * out_stride * element, out_stride, to_float, planes, (int)block, n, 1);
  }
  for (; row < rows; row++) {
    u8_block__avx512vnni(x + row * x_stride, x_stride, plane, quads, weights, product, column,
             out + row * out_stride * element, out_stride, to_float, planes, 1, n, (int)block);
  }
}

AVX512 ERNN_INLINE void u8_gemm__avx512vnni(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                const ernn_product *product, void *out, size_t out_stride,
                                const int to_float, const int planes) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    size_t column = (size_t)panel * ERNN_TILE;
#define COLUMNS(n)                                                                                 \
  u8_columns__avx512vnni(x, x_stride, plane, rows, weights, product, column, out, out_stride, to_float,        \
             planes, n)
    switch (taken) {
      case 1: COLUMNS(1); break;
      case 2: COLUMNS(2); break;
      case 3: COLUMNS(3); break;
      default: COLUMNS(4);
    }
#undef COLUMNS
  }
}

/* Adds neighbouring lanes of two vectors: 32 half sums become 16 sums. */
AVX512 ERNN_INLINE __m512i add_pairs(__m512i first, __m512i second) {
  const __m512i even =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_permutex2var_epi32(first, even, second),
                          _mm512_permutex2var_epi32(first, odd, second));
}

/* `m` rows of 16-bit numbers times one tile; weights are widened on the way. */
AVX512 ERNN_INLINE void s16_block__avx512vnni(const int16_t *x, size_t x_stride, uint32_t quads,
                                  const int8_t *weights, size_t stride,
                                  const ernn_product *product, size_t column, void *out,
                                  size_t out_stride, const int to_float, const int m,
                                  const int apart) {
  __m512i sums[8];
  ERNN_UNROLL
  for (int i = 0; i < 2 * m * apart; i++) sums[i] = _mm512_setzero_si512();
  uint32_t quad = 0;
  for (; quad < quads; quad += (uint32_t)apart) {
    ERNN_UNROLL
    for (int a = 0; a < apart; a++) {
      if (a > 0 && quad + (uint32_t)a >= quads) break;
      ERNN_UNROLL
      for (int j = 0; j < 2; j++) {
        const void *eight_columns = weights + 32 * j;
        __m512i w = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)eight_columns));
        ERNN_UNROLL
        for (int i = 0; i < m; i++) {
          __m512i *sum = &sums[(a * m + i) * 2 + j];
          *sum = _mm512_dpwssd_epi32(*sum, broadcast_words__avx512vnni(x + (size_t)i * x_stride), w);
        }
      }
      weights += stride;
      x += 4;
    }
    KEEP_IN_PLACE(sums, 2 * m * apart);
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    __m512i first = sums[2 * i], second = sums[2 * i + 1];
    ERNN_UNROLL
    for (int a = 1; a < apart; a++) {
      first = _mm512_add_epi32(first, sums[(a * m + i) * 2]);
      second = _mm512_add_epi32(second, sums[(a * m + i) * 2 + 1]);
    }
    __m512i sum = _mm512_add_epi32(add_pairs(first, second), load_bytes(product->bias + column));
    finish_tile__avx512(sum, product, column, out, (size_t)i * out_stride + column, to_float);
  }
}

AVX512 ERNN_INLINE void s16_gemm__avx512vnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                 const ernn_product *product, uint8_t *out, size_t out_stride,
                                 const int to_float) {
  const size_t element = to_float ? sizeof(float) : sizeof(int16_t);
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t panel = tile / product->tiles * product->tiles;
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    size_t stride = (size_t)in_panel * 64, column = (size_t)tile * ERNN_TILE;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads + (tile - panel) * 64;
    uint32_t row = 0;
    for (; row + 4 <= rows; row += 4) {
      s16_block__avx512vnni(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                out + row * out_stride * element, out_stride, to_float, 4, 1);
    }
    for (; row < rows; row++) {
      s16_block__avx512vnni(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                out + row * out_stride * element, out_stride, to_float, 1, 4);
    }
  }
}

AVX512 void ernn_u8_product__avx512vnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                   const ernn_product *product, int16_t *out, size_t out_stride) {
  u8_gemm__avx512vnni(x, x_stride, 0, rows, product, out, out_stride, 0, 1);
}

AVX512 void ernn_u8_sums__avx512vnni(const uint8_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__avx512vnni(x, x_stride, 0, rows, product, out, out_stride, 1, 1);
}

AVX512 void ernn_planes_product__avx512vnni(const uint8_t *x, size_t x_stride, size_t plane,
                                       uint32_t rows, const ernn_product *product, int16_t *out,
                                       size_t out_stride) {
  u8_gemm__avx512vnni(x, x_stride, plane, rows, product, out, out_stride, 0, 2);
}

AVX512 void ernn_planes_sums__avx512vnni(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                    const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__avx512vnni(x, x_stride, plane, rows, product, out, out_stride, 1, 2);
}

AVX512 void ernn_s16_product__avx512vnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                           const ernn_product *product, int16_t *out,
                                           size_t out_stride) {
  s16_gemm__avx512vnni(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

AVX512 void ernn_s16_sums__avx512vnni(const int16_t *x, size_t x_stride, uint32_t rows,
                                        const ernn_product *product, float *out,
                                        size_t out_stride) {
  s16_gemm__avx512vnni(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* As planes_of, with what is left of a row in one vector too: rows are short. */
AVX512 ERNN_INLINE void planes_of__avx512vnni(const float *x, size_t count, float reciprocal,
                                              float limit, uint8_t *high, uint8_t *low) {
  const __m512 most = _mm512_set1_ps(limit), least = _mm512_set1_ps(-limit);
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 taken = (__mmask16)(count - i < 16 ? (1u << (count - i)) - 1 : 0xFFFFu);
    __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(taken, x + i), _mm512_set1_ps(reciprocal));
    __mmask16 is_number = _mm512_cmp_ps_mask(scaled, scaled, _CMP_ORD_Q);
    scaled = _mm512_maskz_min_ps(is_number, scaled, most); /* NaN is 0 */
    scaled = _mm512_add_ps(_mm512_max_ps(scaled, least), _mm512_set1_ps(12582912.0f));
    __m512i word = _mm512_add_epi32(_mm512_castps_si512(scaled),
                                    _mm512_set1_epi32(32768 - 0x4B400000));
    _mm_mask_storeu_epi8(high + i, taken, _mm512_cvtepi32_epi8(_mm512_srli_epi32(word, 8)));
    _mm_mask_storeu_epi8(low + i, taken, _mm512_cvtepi32_epi8(word));
  }
}

ERNN_ROW_KERNELS(AVX512, avx512vnni, bytes_of, planes_of__avx512vnni)

const ernn_kernels ernn_kernels_avx512vnni = {
    .isa = ERNN_ISA_AVX512VNNI,
    .rows = &ernn_rows_avx512vnni,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__avx512vnni),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__avx512),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__avx512),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__avx512),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__avx512),
    .f32_sigmoid = ernn_f32_sigmoid__avx2,
    .f32_tanh = ernn_f32_tanh__avx2,
    .u8_product = ernn_u8_product__avx512vnni,
    .s16_product = ernn_s16_product__avx512vnni,
    .u8_sums = ernn_u8_sums__avx512vnni,
    .s16_sums = ernn_s16_sums__avx512vnni,
    .planes_product = ernn_planes_product__avx512vnni,
    .planes_sums = ernn_planes_sums__avx512vnni,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__avx512vnni),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__avx512),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__avx512),
    .u8_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_u8_gru__avx512),
    .u8_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_u8_lstm__avx512),
    .u8_dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_u8_dynamic_gru__avx512),
    .u8_dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_u8_dynamic_lstm__avx512),
};

#else
typedef int ernn_no_avx512vnni; /* C99 wants something in every file */
#endif
