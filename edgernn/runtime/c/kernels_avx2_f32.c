/* kernels_avx2_f32.c: x86 with AVX2, FMA and F16C, in float32. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_X86

#include "kernels_intrinsics.h"

#include "ernn_math.h"
#include "kernels_x86.h"

/* Eight weights as float32. */
AVX2 ERNN_INLINE __m256 load_weights__avx2(const void *weights, size_t index, uint32_t type) {
  if (type == ERNN_MATRIX_F32) return _mm256_loadu_ps((const float *)weights + index);
  if (type == ERNN_MATRIX_F16) {
    const void *halves = (const uint16_t *)weights + index;
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
  }
  const void *bytes = (const int8_t *)weights + index;
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)bytes)));
}

/* Weights of so many numbers of x are multiplied with all rows before those of the next: of a panel of
 * four tiles they fit the first cache, and rows of x beside them.  Sums wait in `out`, which changes no
 * bit. */
enum { DEPTH = 96 };

/* Numbers `begin` up to `end` of each row of x, times the columns whose weights begin at `first`. */
typedef struct f32_part {
  const float *x;
  size_t x_stride;
  const ernn_matrix *matrix;
  uint32_t begin, end;
  size_t first, stride;
  const float *scales, *bias;
  float *out;
  size_t out_stride;
} f32_part;

/* `m` rows from `row` on times `n` vectors of 8 columns; m, n and type are constants where it is
 * inlined, so that the sums stay in registers (m * n <= 12). */
AVX2 ERNN_INLINE void f32_block__avx2(const f32_part *part, uint32_t row, uint32_t type, const int m,
                                      const int n) {
  const size_t x_stride = part->x_stride, out_stride = part->out_stride, stride = part->stride;
  const float *x = part->x + row * x_stride;
  float *out = part->out + row * out_stride;
  const void *weights = part->matrix->panels;
  const uint32_t end = part->end;
  size_t first = part->first + part->begin * stride;
  __m256 sums[12];
  ERNN_UNROLL
  for (int i = 0; i < m * n; i++) sums[i] = _mm256_setzero_ps();
  if (part->begin > 0) {
    ERNN_UNROLL
    for (int i = 0; i < m * n; i++) {
      sums[i] = _mm256_loadu_ps(out + (size_t)(i / n) * out_stride + 8 * (i % n));
    }
  }
  for (uint32_t k = part->begin; k < end; k++, first += stride) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      __m256 w = load_weights__avx2(weights, first + 8 * (size_t)j, type);
      if (m > 1) __asm__("" : "+v"(w)); /* gcc 12 else reads it anew for each row */
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        sums[i * n + j] =
            _mm256_fmadd_ps(_mm256_broadcast_ss(x + (size_t)i * x_stride + k), w, sums[i * n + j]);
      }
    }
  }
  const int is_last = end == part->matrix->rows;
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      __m256 sum = sums[i * n + j];
      if (is_last && type == ERNN_MATRIX_S8) {
        sum = _mm256_mul_ps(sum, _mm256_loadu_ps(part->scales + 8 * j));
      }
      if (is_last && part->bias) sum = _mm256_add_ps(sum, _mm256_loadu_ps(part->bias + 8 * j));
      _mm256_storeu_ps(out + (size_t)i * out_stride + 8 * j, sum);
    }
  }
}

/* All rows times the next `n` vectors of columns; then `part` begins behind them.  A row by itself has
 * too few sums to be fast: four rows that are left are two pairs, and not three and one. */
AVX2 ERNN_INLINE void f32_columns__avx2(f32_part *part, uint32_t rows, uint32_t type, const int n) {
  uint32_t row = 0;
  if (n <= 4) {
    for (; rows - row >= 3 && (ERNN_IS_SMALL || rows - row != 4); row += 3) {
      f32_block__avx2(part, row, type, 3, n <= 4 ? n : 4);
    }
  }
  if (n == 6 || (n < 6 && !ERNN_IS_SMALL)) {
    for (; rows - row >= 2; row += 2) f32_block__avx2(part, row, type, 2, n <= 6 ? n : 6);
  }
  for (; row < rows; row++) f32_block__avx2(part, row, type, 1, n);
  part->first += 8 * (size_t)n;
  part->out += 8 * n;
  if (part->scales) part->scales += 8 * n;
  if (part->bias) part->bias += 8 * n;
}

AVX2 ERNN_INLINE void f32_gemm_of__avx2(const float *x, size_t x_stride, uint32_t rows,
                                  const ernn_matrix *matrix, uint32_t type, const float *bias,
                                  float *out, size_t out_stride) {
  uint32_t tiles = matrix->columns / ERNN_TILE, depth = rows > 1 ? DEPTH : matrix->rows;
  for (uint32_t panel = 0; panel < tiles; panel += matrix->tiles) {
    uint32_t taken = tiles - panel < matrix->tiles ? tiles - panel : matrix->tiles;
    size_t column = (size_t)panel * ERNN_TILE;
    for (uint32_t begin = 0; begin < matrix->rows; begin += depth) {
      f32_part part = {x, x_stride, matrix,
                       begin, matrix->rows - begin < depth ? matrix->rows : begin + depth,
                       column * matrix->rows, (size_t)taken * ERNN_TILE,
                       type == ERNN_MATRIX_S8 ? matrix->scales + column : NULL,
                       bias ? bias + column : NULL, out + column, out_stride};
      uint32_t left = taken;
      if (taken == 3 && !ERNN_IS_SMALL) {
        f32_columns__avx2(&part, rows, type, 6);
        continue;
      }
      if (taken == 4 && rows == 1 && !ERNN_IS_SMALL) {
        f32_columns__avx2(&part, rows, type, 8);
        continue;
      }
      /* Two tiles at a time: twelve sums, three broadcasts and a load fit 16 registers. */
      for (; left >= 2 && (!ERNN_IS_SMALL || type == ERNN_MATRIX_F32); left -= 2) {
        f32_columns__avx2(&part, rows, type, 4);
      }
      for (; left > 0; left--) f32_columns__avx2(&part, rows, type, 2);
    }
  }
}

AVX2 void ernn_f32_gemm__avx2(const float *x, size_t x_stride, uint32_t rows, const ernn_matrix *matrix,
                         const float *bias, float *out, size_t out_stride) {
  switch (matrix->type) {
    case ERNN_MATRIX_F32:
      f32_gemm_of__avx2(x, x_stride, rows, matrix, ERNN_MATRIX_F32, bias, out, out_stride);
      break;
    case ERNN_MATRIX_F16:
      f32_gemm_of__avx2(x, x_stride, rows, matrix, ERNN_MATRIX_F16, bias, out, out_stride);
      break;
    default: f32_gemm_of__avx2(x, x_stride, rows, matrix, ERNN_MATRIX_S8, bias, out, out_stride);
  }
}

/* a b + c: fused, or in two roundings as plain C has it, which gives the same bits everywhere. */
AVX2 ERNN_INLINE __m256 mul_add__avx2(__m256 a, __m256 b, __m256 c, const int fused) {
  return fused ? _mm256_fmadd_ps(a, b, c) : _mm256_add_ps(_mm256_mul_ps(a, b), c);
}

/* As ernn_exp, of `n` vectors: each operation of all before the next of one, for which it would wait. */
AVX2 ERNN_INLINE void exps8(__m256 *x, const int n, const int fused) {
  const __m256 shifter = _mm256_set1_ps(12582912.0f);
  __m256 scale[4], r[4], p[4];
#define ALL                                                                                        \
  ERNN_UNROLL                                                                                      \
  for (int i = 0; i < n; i++)
  ALL x[i] = _mm256_max_ps(_mm256_set1_ps(-87.3f), x[i]); /* NaN stays: max and min return their second */
  ALL x[i] = _mm256_min_ps(_mm256_set1_ps(88.3f), x[i]);
  ALL r[i] = mul_add__avx2(x[i], _mm256_set1_ps(1.44269504f), shifter, fused);
  ALL scale[i] = _mm256_castsi256_ps(_mm256_slli_epi32(
      _mm256_add_epi32(_mm256_castps_si256(r[i]), _mm256_set1_epi32(127 - 0x4B400000)), 23));
  ALL p[i] = _mm256_sub_ps(r[i], shifter);
  ALL r[i] = mul_add__avx2(p[i], _mm256_set1_ps(-0.693359375f), x[i], fused);
  ALL r[i] = mul_add__avx2(p[i], _mm256_set1_ps(2.12194440e-4f), r[i], fused);
  ALL p[i] = mul_add__avx2(_mm256_set1_ps(0.0013933641603216529f), r[i],
                           _mm256_set1_ps(0.008363175205886364f), fused);
  ALL p[i] = mul_add__avx2(p[i], r[i], _mm256_set1_ps(0.04166646674275398f), fused);
  ALL p[i] = mul_add__avx2(p[i], r[i], _mm256_set1_ps(0.16666576266288757f), fused);
  ALL p[i] = mul_add__avx2(p[i], r[i], _mm256_set1_ps(0.5f), fused);
  ALL p[i] = mul_add__avx2(p[i], _mm256_mul_ps(r[i], r[i]), r[i], fused);
  ALL x[i] = _mm256_mul_ps(_mm256_add_ps(p[i], _mm256_set1_ps(1.0f)), scale[i]);
#undef ALL
}

/* What exps8 takes for a sigmoid and for a tanh, and what these are of what it gives. */
AVX2 ERNN_INLINE __m256 for_sigmoid8(__m256 x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }

AVX2 ERNN_INLINE __m256 sigmoid_of8(__m256 power) {
  __m256 one = _mm256_set1_ps(1.0f);
  return _mm256_div_ps(one, _mm256_add_ps(one, power));
}

AVX2 ERNN_INLINE __m256 for_tanh8(__m256 x) { return _mm256_add_ps(x, x); }

AVX2 ERNN_INLINE __m256 tanh_of8(__m256 power) {
  __m256 one = _mm256_set1_ps(1.0f), two = _mm256_set1_ps(2.0f);
  return _mm256_sub_ps(one, _mm256_div_ps(two, _mm256_add_ps(power, one)));
}

/* Eight numbers from number i on.  Plain ones are fused: they have no scale. */
AVX2 ERNN_INLINE __m256 load_scaled8(const ernn_scaled *from, size_t i, const int fused) {
  __m256 numbers = _mm256_loadu_ps(from->of + i);
  if (fused) return numbers;
  numbers = _mm256_mul_ps(numbers, _mm256_set1_ps(from->scale));
  return from->bias ? _mm256_add_ps(numbers, _mm256_loadu_ps(from->bias + i)) : numbers;
}

/* As ernn_rounded of states, to bytes q + 128; lanes of `beyond` become nonzero where one is above 1. */
AVX2 ERNN_INLINE void feed8(__m256 h, uint8_t *fed, __m256 *beyond) {
  const __m256 most = _mm256_set1_ps(ERNN_STATE_LIMIT), least = _mm256_set1_ps(-ERNN_STATE_LIMIT);
  __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), h);
  *beyond = _mm256_or_ps(*beyond, _mm256_cmp_ps(magnitude, _mm256_set1_ps(1.0f), _CMP_GT_OQ));
  __m256 scaled = _mm256_mul_ps(h, _mm256_set1_ps(ERNN_STATE_STEPS));
  scaled = _mm256_and_ps(scaled, _mm256_cmp_ps(scaled, scaled, _CMP_ORD_Q)); /* NaN is 0 */
  scaled = _mm256_max_ps(_mm256_min_ps(scaled, most), least);
  scaled = _mm256_add_ps(scaled, _mm256_set1_ps(12582912.0f));
  __m256i bytes = _mm256_add_epi32(_mm256_castps_si256(scaled), _mm256_set1_epi32(128 - 0x4B400000));
  __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storel_epi64((__m128i *)(void *)fed, _mm_packus_epi16(words, words));
}

#define X(i) load_scaled8(x, i, fused)
#define R(i) load_scaled8(r, i, fused)
#define SUM(i) _mm256_add_ps(X(i), R(i))

AVX2 ERNN_INLINE uint32_t gru(const ernn_scaled *x, const ernn_scaled *r, float *h, uint8_t *fed,
                              uint32_t tiles, const int fused) {
  __m256 beyond = _mm256_setzero_ps();
  for (size_t at = 0; at < 48 * (size_t)tiles; at += 48, h += 16) {
    __m256 gates[4], n[2]; /* z and reset, each of two vectors */
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) gates[i] = for_sigmoid8(SUM(at + 8 * (size_t)i));
    exps8(gates, 4, fused);
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) gates[i] = sigmoid_of8(gates[i]);
    ERNN_UNROLL
    for (int i = 0; i < 2; i++) {
      size_t from = at + 32 + 8 * (size_t)i;
      n[i] = for_tanh8(mul_add__avx2(gates[2 + i], R(from), X(from), fused));
    }
    exps8(n, 2, fused);
    ERNN_UNROLL
    for (int i = 0; i < 2; i++) {
      __m256 candidate = tanh_of8(n[i]);
      __m256 before = _mm256_sub_ps(_mm256_loadu_ps(h + 8 * i), candidate);
      __m256 state = mul_add__avx2(gates[i], before, candidate, fused);
      _mm256_storeu_ps(h + 8 * i, state);
      if (!fused) feed8(state, fed + at / 3 + 8 * i, &beyond);
    }
  }
  return (uint32_t)_mm256_movemask_ps(beyond);
}

AVX2 ERNN_INLINE uint32_t lstm(const ernn_scaled *x, const ernn_scaled *r, float *h, float *c,
                               uint8_t *fed, uint32_t tiles, const int fused) {
  __m256 beyond = _mm256_setzero_ps();
  for (size_t at = 0; at < 64 * (size_t)tiles; at += 64, h += 16, c += 16) {
    __m256 gates[4], opened[2], powers[2];
    ERNN_UNROLL
    for (int k = 0; k < 2; k++) {
      size_t from = at + 8 * (size_t)k;
      gates[0] = for_sigmoid8(SUM(from));
      gates[1] = for_sigmoid8(SUM(from + 16));
      gates[2] = for_tanh8(SUM(from + 32));
      gates[3] = for_sigmoid8(SUM(from + 48));
      exps8(gates, 4, fused);
      __m256 gain = _mm256_mul_ps(sigmoid_of8(gates[0]), tanh_of8(gates[2]));
      __m256 cell = _mm256_loadu_ps(c + 8 * k);
      cell = mul_add__avx2(sigmoid_of8(gates[1]), cell, gain, fused);
      _mm256_storeu_ps(c + 8 * k, cell);
      opened[k] = sigmoid_of8(gates[3]);
      powers[k] = for_tanh8(cell);
    }
    exps8(powers, 2, fused);
    ERNN_UNROLL
    for (int k = 0; k < 2; k++) {
      __m256 state = _mm256_mul_ps(opened[k], tanh_of8(powers[k]));
      _mm256_storeu_ps(h + 8 * k, state);
      if (!fused) feed8(state, fed + at / 4 + 8 * k, &beyond);
    }
  }
  return (uint32_t)_mm256_movemask_ps(beyond);
}

#undef SUM
#undef R
#undef X

AVX2 void ernn_f32_gru__avx2(const float *x, const float *r, float *h, uint32_t tiles) {
  ernn_scaled of_x = {x, NULL, 1.0f}, of_r = {r, NULL, 1.0f};
  gru(&of_x, &of_r, h, NULL, tiles, 1);
}

AVX2 void ernn_f32_lstm__avx2(const float *x, const float *r, float *h, float *c, uint32_t tiles) {
  ernn_scaled of_x = {x, NULL, 1.0f}, of_r = {r, NULL, 1.0f};
  lstm(&of_x, &of_r, h, c, NULL, tiles, 1);
}

#if !ERNN_IS_SMALL
AVX2 uint32_t ernn_dynamic_gru__avx2(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                     uint8_t *fed, uint32_t tiles) {
  return gru(x, r, h, fed, tiles, 0);
}

AVX2 uint32_t ernn_dynamic_lstm__avx2(const ernn_scaled *x, const ernn_scaled *r, float *h, float *c,
                                      uint8_t *fed, uint32_t tiles) {
  return lstm(x, r, h, c, fed, tiles, 0);
}
#endif

AVX2 void ernn_f32_sigmoid__avx2(float *x, size_t count) {
  for (; count >= 8; count -= 8, x += 8) {
    __m256 power = for_sigmoid8(_mm256_loadu_ps(x));
    exps8(&power, 1, 0);
    _mm256_storeu_ps(x, sigmoid_of8(power));
  }
  for (size_t i = 0; i < count; i++) x[i] = ernn_sigmoid(x[i]);
}

AVX2 void ernn_f32_tanh__avx2(float *x, size_t count) {
  for (; count >= 8; count -= 8, x += 8) {
    __m256 power = for_tanh8(_mm256_loadu_ps(x));
    exps8(&power, 1, 0);
    _mm256_storeu_ps(x, tanh_of8(power));
  }
  for (size_t i = 0; i < count; i++) x[i] = ernn_tanh(x[i]);
}

#else
typedef int ernn_no_avx2_f32; /* C99 wants something in every file */
#endif
