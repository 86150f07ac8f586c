/* kernels_avx2.c: x86 with AVX2, FMA and F16C (Intel from 2013, AMD from 2015), in integers:
 * docs/integer-arithmetic.md is the specification. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_X86

#include "kernels_intrinsics.h"

#include "ernn_fixed_point.h"
#include "kernels_x86.h"
#include "kernels_rows.h"

AVX2 ERNN_INLINE __m256i broadcast_quad__avx2(const uint8_t *x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm256_set1_epi32(quad);
}

AVX2 ERNN_INLINE __m256i broadcast_words__avx2(const int16_t *x) {
  int64_t quad;
  __builtin_memcpy(&quad, x, sizeof quad);
  return _mm256_set1_epi64x(quad);
}

/* What becomes of the sums of a product of bytes. */
enum { TO_WORDS, TO_FLOAT, ANY_TO_FLOAT /* of pairs that need not be safe */ };

/* `m` rows of bytes times `n` vectors of 8 columns; as f32_block__avx2. */
AVX2 ERNN_INLINE void u8_block__avx2(const uint8_t *x, size_t x_stride, uint32_t quads,
                               const int8_t *weights, size_t stride, const ernn_product *product,
                               size_t column, void *out, size_t out_stride, const int to,
                               const int m, const int n) {
  __m256i sums[12], fours[2], signs[2];
  const __m256i ones = _mm256_set1_epi16(1);
  const int32_t *begin = to == ANY_TO_FLOAT ? product->bias : product->unsigned_bias;
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      const void *bias = begin + column + 8 * (size_t)j;
      sums[i * n + j] = _mm256_loadu_si256((const __m256i *)bias);
    }
  }
  for (uint32_t quad = 0; quad < quads; quad++, weights += stride, x += 4) {
    ERNN_UNROLL
    for (int i = 0; i < m; i++) {
      fours[i] = broadcast_quad__avx2(x + (size_t)i * x_stride);
      if (to != ANY_TO_FLOAT) continue;
      signs[i] = _mm256_xor_si256(fours[i], _mm256_set1_epi8(-128));
      fours[i] = _mm256_abs_epi8(signs[i]);
    }
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)(weights + 32 * j));
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        /* Safe pairs: u0 w0 + u1 w1 fits 16 bits.  So do any |q0| (w0 sign q0) + |q1| (w1 sign q1), for
         * no number is beyond 127. */
        __m256i signed_w = to == ANY_TO_FLOAT ? _mm256_sign_epi8(w, signs[i]) : w;
        __m256i pairs = _mm256_maddubs_epi16(fours[i], signed_w);
        sums[i * n + j] = _mm256_add_epi32(sums[i * n + j], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j += 2) {
      finish_tile__avx2(sums[i * n + j], sums[i * n + j + 1], product, column + 8 * (size_t)j, out,
                  (size_t)i * out_stride + column + 8 * (size_t)j, to != TO_WORDS);
    }
  }
}

/* All rows times the n / 2 tiles whose weights begin at `weights`.  Signs and magnitudes take registers. */
AVX2 ERNN_INLINE void u8_columns__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                                 const int8_t *weights, size_t stride, const ernn_product *product,
                                 size_t column, uint8_t *out, size_t out_stride, const int to,
                                 const int n) {
  const size_t element = to != TO_WORDS ? sizeof(float) : sizeof(int16_t);
  uint32_t quads = (product->rows + 3) / 4, row = 0;
  for (; n <= (to == ANY_TO_FLOAT ? 4 : 6) && row + 2 <= rows; row += 2) {
    u8_block__avx2(x + row * x_stride, x_stride, quads, weights, stride, product, column,
             out + row * out_stride * element, out_stride, to, 2, n <= 6 ? n : 6);
  }
  for (; row < rows; row++) {
    u8_block__avx2(x + row * x_stride, x_stride, quads, weights, stride, product, column,
             out + row * out_stride * element, out_stride, to, 1, n);
  }
}

AVX2 ERNN_ONE_COPY void u8_gemm__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                              const ernn_product *product, void *out, size_t out_stride,
                              const int to) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t taken = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *weights = product->panels + (size_t)panel * 64 * quads;
    size_t column = (size_t)panel * ERNN_TILE, stride = (size_t)taken * 64;
    if (taken == 3 && !ERNN_IS_SMALL && (to != ANY_TO_FLOAT || rows == 1)) {
      u8_columns__avx2(x, x_stride, rows, weights, stride, product, column, out, out_stride, to, 6);
    } else if (taken == 4 && rows == 1 && !ERNN_IS_SMALL) {
      u8_columns__avx2(x, x_stride, rows, weights, stride, product, column, out, out_stride, to, 8);
    } else {
      for (; taken >= 2; taken -= 2, weights += 128, column += 32) {
        u8_columns__avx2(x, x_stride, rows, weights, stride, product, column, out, out_stride, to,
                   4);
      }
      if (taken) {
        u8_columns__avx2(x, x_stride, rows, weights, stride, product, column, out, out_stride, to,
                   2);
      }
    }
  }
}

/* `m` rows of 16-bit numbers times one tile.  Each sum is in two neighbouring lanes at first. */
AVX2 ERNN_INLINE void s16_block__avx2(const int16_t *x, size_t x_stride, uint32_t quads,
                                const int8_t *weights, size_t stride, const ernn_product *product,
                                size_t column, void *out, size_t out_stride, const int to_float,
                                const int m) {
  __m256i sums[12];
  ERNN_UNROLL
  for (int i = 0; i < 4 * m; i++) sums[i] = _mm256_setzero_si256();
  for (uint32_t quad = 0; quad < quads; quad++, weights += stride, x += 4) {
    ERNN_UNROLL
    for (int j = 0; j < 4; j++) {
      const void *four_columns = weights + 16 * j;
      __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)four_columns));
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        __m256i four = broadcast_words__avx2(x + (size_t)i * x_stride);
        sums[4 * i + j] = _mm256_add_epi32(sums[4 * i + j], _mm256_madd_epi16(four, w));
      }
    }
    if (m > 1) KEEP_IN_PLACE(sums, 4 * m);
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    const __m256i *bias = (const __m256i *)(const void *)(product->bias + column);
    __m256i low = _mm256_hadd_epi32(sums[4 * i], sums[4 * i + 1]);
    __m256i high = _mm256_hadd_epi32(sums[4 * i + 2], sums[4 * i + 3]);
    low = _mm256_add_epi32(_mm256_permute4x64_epi64(low, 0xD8), _mm256_loadu_si256(bias));
    high = _mm256_add_epi32(_mm256_permute4x64_epi64(high, 0xD8), _mm256_loadu_si256(bias + 1));
    finish_tile__avx2(low, high, product, column, out, (size_t)i * out_stride + column, to_float);
  }
}

AVX2 ERNN_ONE_COPY void s16_gemm__avx2(const int16_t *x, size_t x_stride, uint32_t rows,
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
    for (; row + 2 <= rows; row += 2) {
      s16_block__avx2(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                out + row * out_stride * element, out_stride, to_float, 2);
    }
    for (; row < rows; row++) {
      s16_block__avx2(x + row * x_stride, x_stride, quads, weights, stride, product, column,
                out + row * out_stride * element, out_stride, to_float, 1);
    }
  }
}

AVX2 static void u8_product__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                                  const ernn_product *product, int16_t *out, size_t out_stride) {
  u8_gemm__avx2(x, x_stride, rows, product, out, out_stride, TO_WORDS);
}

AVX2 static void u8_sums__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                               const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__avx2(x, x_stride, rows, product, out, out_stride, TO_FLOAT);
}

#if ERNN_IS_SMALL
#define ANY_U8_SUMS NULL
#else
#define ANY_U8_SUMS any_u8_sums__avx2
AVX2 static void any_u8_sums__avx2(const uint8_t *x, size_t x_stride, uint32_t rows,
                                   const ernn_product *product, float *out, size_t out_stride) {
  u8_gemm__avx2(x, x_stride, rows, product, out, out_stride, ANY_TO_FLOAT);
}
#endif

AVX2 static void s16_product__avx2(const int16_t *x, size_t x_stride, uint32_t rows,
                                   const ernn_product *product, int16_t *out, size_t out_stride) {
  s16_gemm__avx2(x, x_stride, rows, product, (uint8_t *)out, out_stride, 0);
}

AVX2 static void s16_sums__avx2(const int16_t *x, size_t x_stride, uint32_t rows,
                                const ernn_product *product, float *out, size_t out_stride) {
  s16_gemm__avx2(x, x_stride, rows, product, (uint8_t *)out, out_stride, 1);
}

/* A table of 16 bytes in both halves. */
AVX2 ERNN_INLINE __m256i load_table__avx2(const void *bytes) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
}

/* The tables of T as bytes, for look-up by vpshufb. */
typedef struct tanh_tables__avx2 {
  __m256i value_low, value_high, slope_low, slope_high, curvature;
} tanh_tables__avx2;

AVX2 ERNN_INLINE tanh_tables__avx2 load_tanh_tables__avx2(void) {
  uint8_t bytes[4][16];
  for (int i = 0; i < 16; i++) {
    bytes[0][i] = (uint8_t)(ernn_tanh_value[i] & 0xFF);
    bytes[1][i] = (uint8_t)(ernn_tanh_value[i] >> 8);
    bytes[2][i] = (uint8_t)(ernn_tanh_slope[i] & 0xFF);
    bytes[3][i] = (uint8_t)(ernn_tanh_slope[i] >> 8);
  }
  tanh_tables__avx2 tables = {load_table__avx2(bytes[0]), load_table__avx2(bytes[1]), load_table__avx2(bytes[2]),
                        load_table__avx2(bytes[3]), load_table__avx2(ernn_tanh_curvature)};
  return tables;
}

/* T(v) */
AVX2 ERNN_INLINE __m256i table_tanh16(__m256i v, const tanh_tables__avx2 *tables) {
  __m256i u = _mm256_min_epu16(_mm256_abs_epi16(v), _mm256_set1_epi16(ERNN_TANH_END));
  __m256i w = _mm256_add_epi16(u, _mm256_min_epi16(u, _mm256_set1_epi16(8192)));
  __m256i s = _mm256_srli_epi16(w, 11);
  __m256i d = _mm256_slli_epi16(_mm256_and_si256(w, _mm256_set1_epi16(2047)), 3);
  /* A set top bit makes vpshufb give zero: the other byte of a number stays free. */
  __m256i low = _mm256_or_si256(s, _mm256_set1_epi16((int16_t)0x8000));
  __m256i high = _mm256_or_si256(_mm256_slli_epi16(s, 8), _mm256_set1_epi16(0x0080));
  __m256i value = _mm256_or_si256(_mm256_shuffle_epi8(tables->value_low, low),
                                  _mm256_shuffle_epi8(tables->value_high, high));
  __m256i slope = _mm256_or_si256(_mm256_shuffle_epi8(tables->slope_low, low),
                                  _mm256_shuffle_epi8(tables->slope_high, high));
  __m256i bend = _mm256_slli_epi16(_mm256_shuffle_epi8(tables->curvature, low), 4);
  bend = _mm256_sub_epi16(_mm256_setzero_si256(), bend);
  slope = _mm256_add_epi16(slope, _mm256_mulhrs_epi16(d, bend));
  return _mm256_sign_epi16(_mm256_add_epi16(value, _mm256_mulhrs_epi16(d, slope)), v);
}

AVX2 ERNN_INLINE __m256i fixed_tanh16(__m256i p, const tanh_tables__avx2 *tables) {
  return table_tanh16(_mm256_adds_epi16(p, p), tables);
}

AVX2 ERNN_INLINE __m256i fixed_gate16(__m256i p, ernn_hard hard, const tanh_tables__avx2 *tables) {
  const __m256i half = _mm256_set1_epi16(16384);
  if (hard.limit == 0) {
    return _mm256_add_epi16(_mm256_srai_epi16(table_tanh16(p, tables), 1), half);
  }
  p = _mm256_min_epi16(p, _mm256_set1_epi16(hard.limit));
  p = _mm256_max_epi16(p, _mm256_set1_epi16((int16_t)-hard.limit));
  p = _mm256_mulhrs_epi16(_mm256_slli_epi16(p, 2), _mm256_set1_epi16(hard.factor));
  return _mm256_max_epi16(_mm256_adds_epi16(p, half), _mm256_setzero_si256());
}

AVX2 ERNN_INLINE void store_fed16(uint8_t *fed, __m256i h) {
  __m256i narrow = _mm256_srai_epi16(_mm256_adds_epi16(h, _mm256_set1_epi16(128)), 8);
  narrow = _mm256_add_epi16(narrow, _mm256_set1_epi16(128));
  __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(narrow), _mm256_extracti128_si256(narrow, 1));
  _mm_storeu_si128((__m128i *)(void *)fed, bytes);
}

/* a + 0x4000 >> 15 of 32-bit numbers in the order of lanes. */
AVX2 ERNN_INLINE __m256i rounded16(__m256i low, __m256i high) {
  const __m256i half = _mm256_set1_epi32(0x4000);
  return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 15),
                            _mm256_srai_epi32(_mm256_add_epi32(high, half), 15));
}

/* z n + (32768 - z) h = (z n - z h) + h 2^15, in 32 bits */
AVX2 ERNN_INLINE __m256i gru_state16(__m256i z, __m256i n, __m256i h) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i minus_z = _mm256_sub_epi16(zero, z);
  __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(z, minus_z), _mm256_unpacklo_epi16(n, h));
  __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(z, minus_z), _mm256_unpackhi_epi16(n, h));
  low = _mm256_add_epi32(low, _mm256_srai_epi32(_mm256_unpacklo_epi16(zero, h), 1));
  high = _mm256_add_epi32(high, _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, h), 1));
  return rounded16(low, high);
}

AVX2 ERNN_INLINE __m256i load16(const void *numbers) {
  return _mm256_loadu_si256((const __m256i *)numbers);
}

AVX2 void ernn_s16_gru__avx2(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                        uint32_t tiles, ernn_hard hard) {
  tanh_tables__avx2 tables = load_tanh_tables__avx2();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16, fed += 16) {
    __m256i z = fixed_gate16(_mm256_adds_epi16(load16(x), load16(r)), hard, &tables);
    __m256i reset =
        fixed_gate16(_mm256_adds_epi16(load16(x + 16), load16(r + 16)), hard, &tables);
    __m256i n = _mm256_adds_epi16(load16(x + 32), _mm256_mulhrs_epi16(reset, load16(r + 32)));
    __m256i state = gru_state16(z, fixed_tanh16(n, &tables), load16(h));
    _mm256_storeu_si256((__m256i *)(void *)h, state);
    store_fed16(fed, state);
  }
}

/* c' before it is clamped: c 2^15 - f c + (i n >> e), in 32 bits */
AVX2 ERNN_INLINE __m256i lstm_cell16(__m256i i, __m256i f, __m256i n, __m256i c,
                                     const int32_t *exponent) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i minus_f = _mm256_sub_epi16(zero, f);
  __m256i gain_low = _mm256_mullo_epi16(i, n), gain_high = _mm256_mulhi_epi16(i, n);
  __m256i loss_low = _mm256_mullo_epi16(minus_f, c), loss_high = _mm256_mulhi_epi16(minus_f, c);
  __m256i low = _mm256_srav_epi32(_mm256_unpacklo_epi16(gain_low, gain_high), load16(exponent));
  __m256i high =
      _mm256_srav_epi32(_mm256_unpackhi_epi16(gain_low, gain_high), load16(exponent + 8));
  low = _mm256_add_epi32(low, _mm256_unpacklo_epi16(loss_low, loss_high));
  high = _mm256_add_epi32(high, _mm256_unpackhi_epi16(loss_low, loss_high));
  low = _mm256_add_epi32(low, _mm256_srai_epi32(_mm256_unpacklo_epi16(zero, c), 1));
  high = _mm256_add_epi32(high, _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, c), 1));
  return _mm256_max_epi16(rounded16(low, high), _mm256_set1_epi16(-32767));
}

AVX2 void ernn_s16_lstm__avx2(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                         const ernn_cell *cells, uint8_t *fed, uint32_t tiles, ernn_hard hard) {
  tanh_tables__avx2 tables = load_tanh_tables__avx2();
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16, fed += 16) {
    const ernn_cell *cell = cells + tile;
    __m256i i = fixed_gate16(_mm256_adds_epi16(load16(x), load16(r)), hard, &tables);
    __m256i f = fixed_gate16(_mm256_adds_epi16(load16(x + 16), load16(r + 16)), hard, &tables);
    __m256i n = fixed_tanh16(_mm256_adds_epi16(load16(x + 32), load16(r + 32)), &tables);
    __m256i o = fixed_gate16(_mm256_adds_epi16(load16(x + 48), load16(r + 48)), hard, &tables);
    __m256i memory = lstm_cell16(i, f, n, load16(c), cell->exponent);
    _mm256_storeu_si256((__m256i *)(void *)c, memory);
    __m256i limit = load16(cell->limit);
    __m256i t = _mm256_min_epi16(memory, limit);
    t = _mm256_max_epi16(t, _mm256_sub_epi16(_mm256_setzero_si256(), limit));
    t = table_tanh16(_mm256_mullo_epi16(t, load16(cell->factor)), &tables);
    __m256i state = _mm256_mulhrs_epi16(o, t);
    _mm256_storeu_si256((__m256i *)(void *)h, state);
    store_fed16(fed, state);
  }
}

ERNN_ROW_KERNELS(AVX2, avx2, bytes_of, planes_of)

const ernn_kernels ernn_kernels_avx2 = {
    .isa = ERNN_ISA_AVX2,
    .pairs_saturate = 1,
    .rows = &ernn_rows_avx2,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__avx2),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__avx2),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__avx2),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), DYNAMIC_GRU),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), DYNAMIC_LSTM),
    .f32_sigmoid = ernn_f32_sigmoid__avx2,
    .f32_tanh = ernn_f32_tanh__avx2,
    .u8_product = u8_product__avx2,
    .s16_product = s16_product__avx2,
    .u8_sums = u8_sums__avx2,
    .any_u8_sums = ANY_U8_SUMS,
    .s16_sums = s16_sums__avx2,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__avx2),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), ernn_s16_gru__avx2),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), ernn_s16_lstm__avx2),
};

#else
typedef int ernn_no_avx2; /* C99 wants something in every file */
#endif
