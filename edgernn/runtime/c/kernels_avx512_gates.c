/* kernels_avx512_gates.c: the gates of cells with AVX-512, twice as many units at a time as with AVX2;
 * the same operations in the same order. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_AVX512

#include "ernn_fixed_point.h"
#include "kernels_avx512.h"

/* The tables of T for vpermw: 16 numbers of 16 bits, twice. */
typedef struct tanh_tables__avx512 {
  __m512i value, slope, bend;
} tanh_tables__avx512;

AVX512 ERNN_INLINE __m512i load_table__avx512(const int16_t *numbers) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)numbers));
}

AVX512 ERNN_INLINE tanh_tables__avx512 load_tanh_tables__avx512(void) {
  int16_t bend[16];
  for (int i = 0; i < 16; i++) bend[i] = (int16_t)(-16 * ernn_tanh_curvature[i]);
  tanh_tables__avx512 tables = {load_table__avx512(ernn_tanh_value), load_table__avx512(ernn_tanh_slope),
                        load_table__avx512(bend)};
  return tables;
}

AVX512 ERNN_INLINE __m512i set16(int number) { return _mm512_set1_epi16((int16_t)number); }

/* T(v) */
AVX512 ERNN_INLINE __m512i table_tanh32(__m512i v, const tanh_tables__avx512 *tables) {
  __m512i u = _mm512_min_epu16(_mm512_abs_epi16(v), set16(ERNN_TANH_END));
  __m512i w = _mm512_add_epi16(u, _mm512_min_epi16(u, set16(8192)));
  __m512i s = _mm512_srli_epi16(w, 11);
  __m512i d = _mm512_slli_epi16(_mm512_and_si512(w, set16(2047)), 3);
  __m512i slope = _mm512_permutexvar_epi16(s, tables->slope);
  __m512i bend = _mm512_permutexvar_epi16(s, tables->bend);
  slope = _mm512_add_epi16(slope, _mm512_mulhrs_epi16(d, bend));
  __m512i y = _mm512_add_epi16(_mm512_permutexvar_epi16(s, tables->value),
                               _mm512_mulhrs_epi16(d, slope));
  return _mm512_mask_sub_epi16(y, _mm512_movepi16_mask(v), _mm512_setzero_si512(), y);
}

AVX512 ERNN_INLINE __m512i fixed_tanh32(__m512i p, const tanh_tables__avx512 *tables) {
  return table_tanh32(_mm512_adds_epi16(p, p), tables);
}

AVX512 ERNN_INLINE __m512i fixed_gate32(__m512i p, ernn_hard hard, const tanh_tables__avx512 *tables) {
  if (hard.limit == 0) {
    return _mm512_add_epi16(_mm512_srai_epi16(table_tanh32(p, tables), 1), set16(16384));
  }
  p = _mm512_max_epi16(_mm512_min_epi16(p, set16(hard.limit)), set16(-hard.limit));
  p = _mm512_mulhrs_epi16(_mm512_slli_epi16(p, 2), set16(hard.factor));
  return _mm512_max_epi16(_mm512_adds_epi16(p, set16(16384)), _mm512_setzero_si512());
}

AVX512 ERNN_INLINE __m256i fed32(__m512i h) {
  __m512i narrow = _mm512_srai_epi16(_mm512_adds_epi16(h, set16(128)), 8);
  return _mm512_cvtepi16_epi8(_mm512_add_epi16(narrow, set16(128)));
}

/* a + 0x4000 >> 15 of 32-bit numbers in the order of lanes. */
AVX512 ERNN_INLINE __m512i rounded32(__m512i low, __m512i high) {
  const __m512i half = _mm512_set1_epi32(0x4000);
  return _mm512_packs_epi32(_mm512_srai_epi32(_mm512_add_epi32(low, half), 15),
                            _mm512_srai_epi32(_mm512_add_epi32(high, half), 15));
}

/* z n + (32768 - z) h = (z n - z h) + h 2^15, in 32 bits */
AVX512 ERNN_INLINE __m512i gru_state32(__m512i z, __m512i n, __m512i h) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i minus_z = _mm512_sub_epi16(zero, z);
  __m512i low = _mm512_madd_epi16(_mm512_unpacklo_epi16(z, minus_z), _mm512_unpacklo_epi16(n, h));
  __m512i high = _mm512_madd_epi16(_mm512_unpackhi_epi16(z, minus_z), _mm512_unpackhi_epi16(n, h));
  low = _mm512_add_epi32(low, _mm512_srai_epi32(_mm512_unpacklo_epi16(zero, h), 1));
  high = _mm512_add_epi32(high, _mm512_srai_epi32(_mm512_unpackhi_epi16(zero, h), 1));
  return rounded32(low, high);
}

/* 16 numbers at `first`, and where there is a second tile the 16 at `second`. */
AVX512 ERNN_INLINE __m512i load_two(const void *first, const void *second, int has_second) {
  __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)first));
  if (!has_second) return low;
  return _mm512_inserti64x4(low, _mm256_loadu_si256((const __m256i *)second), 1);
}

AVX512 ERNN_INLINE void store_state(int16_t *h, uint8_t *fed, __m512i state, int has_second) {
  __m256i bytes = fed32(state);
  if (has_second) {
    _mm512_storeu_si512(h, state);
    _mm256_storeu_si256((__m256i *)(void *)fed, bytes);
  } else {
    _mm256_storeu_si256((__m256i *)(void *)h, _mm512_castsi512_si256(state));
    _mm_storeu_si128((__m128i *)(void *)fed, _mm256_castsi256_si128(bytes));
  }
}

AVX512 ERNN_INLINE void gru_tiles(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                                  ernn_hard hard, const tanh_tables__avx512 *tables,
                                  const int has_second) {
#define GATE(from, gate) load_two((from) + 16 * (gate), (from) + 48 + 16 * (gate), has_second)
  __m512i z = fixed_gate32(_mm512_adds_epi16(GATE(x, 0), GATE(r, 0)), hard, tables);
  __m512i reset = fixed_gate32(_mm512_adds_epi16(GATE(x, 1), GATE(r, 1)), hard, tables);
  __m512i n = _mm512_adds_epi16(GATE(x, 2), _mm512_mulhrs_epi16(reset, GATE(r, 2)));
#undef GATE
  __m512i before = load_two(h, h + 16, has_second);
  store_state(h, fed, gru_state32(z, fixed_tanh32(n, tables), before), has_second);
}

AVX512 void ernn_s16_gru__avx512(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                            uint32_t tiles, ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2, x += 96, r += 96, h += 32, fed += 32) {
    gru_tiles(x, r, h, fed, hard, &tables, 1);
  }
  if (tile < tiles) gru_tiles(x, r, h, fed, hard, &tables, 0);
}

/* The exponents of a quarter of each half: lanes are in the order of unpacked numbers already. */
AVX512 ERNN_INLINE __m512i exponents_of(const ernn_cell *cells, int half, int has_second) {
  return load_two(cells->exponent + 8 * half, cells[has_second].exponent + 8 * half, has_second);
}

/* c' before it is clamped: c 2^15 - f c + (i n >> e), in 32 bits */
AVX512 ERNN_INLINE __m512i lstm_cell32(__m512i i, __m512i f, __m512i n, __m512i c,
                                       const ernn_cell *cells, int has_second) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i minus_f = _mm512_sub_epi16(zero, f);
  __m512i gain_low = _mm512_mullo_epi16(i, n), gain_high = _mm512_mulhi_epi16(i, n);
  __m512i loss_low = _mm512_mullo_epi16(minus_f, c), loss_high = _mm512_mulhi_epi16(minus_f, c);
  __m512i low = _mm512_srav_epi32(_mm512_unpacklo_epi16(gain_low, gain_high),
                                  exponents_of(cells, 0, has_second));
  __m512i high = _mm512_srav_epi32(_mm512_unpackhi_epi16(gain_low, gain_high),
                                   exponents_of(cells, 1, has_second));
  low = _mm512_add_epi32(low, _mm512_unpacklo_epi16(loss_low, loss_high));
  high = _mm512_add_epi32(high, _mm512_unpackhi_epi16(loss_low, loss_high));
  low = _mm512_add_epi32(low, _mm512_srai_epi32(_mm512_unpacklo_epi16(zero, c), 1));
  high = _mm512_add_epi32(high, _mm512_srai_epi32(_mm512_unpackhi_epi16(zero, c), 1));
  return _mm512_max_epi16(rounded32(low, high), set16(-32767));
}

AVX512 ERNN_INLINE void lstm_tiles(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                                   const ernn_cell *cells, uint8_t *fed, ernn_hard hard,
                                   const tanh_tables__avx512 *tables, const int has_second) {
#define GATE(from, gate) load_two((from) + 16 * (gate), (from) + 64 + 16 * (gate), has_second)
  __m512i i = fixed_gate32(_mm512_adds_epi16(GATE(x, 0), GATE(r, 0)), hard, tables);
  __m512i f = fixed_gate32(_mm512_adds_epi16(GATE(x, 1), GATE(r, 1)), hard, tables);
  __m512i n = fixed_tanh32(_mm512_adds_epi16(GATE(x, 2), GATE(r, 2)), tables);
  __m512i o = fixed_gate32(_mm512_adds_epi16(GATE(x, 3), GATE(r, 3)), hard, tables);
#undef GATE
  __m512i memory = lstm_cell32(i, f, n, load_two(c, c + 16, has_second), cells, has_second);
  if (has_second) {
    _mm512_storeu_si512(c, memory);
  } else {
    _mm256_storeu_si256((__m256i *)(void *)c, _mm512_castsi512_si256(memory));
  }
  __m512i limit = load_two(cells->limit, cells[has_second].limit, has_second);
  __m512i factor = load_two(cells->factor, cells[has_second].factor, has_second);
  __m512i t = _mm512_min_epi16(memory, limit);
  t = _mm512_max_epi16(t, _mm512_sub_epi16(_mm512_setzero_si512(), limit));
  t = table_tanh32(_mm512_mullo_epi16(t, factor), tables);
  store_state(h, fed, _mm512_mulhrs_epi16(o, t), has_second);
}

AVX512 void ernn_s16_lstm__avx512(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                             const ernn_cell *cells, uint8_t *fed, uint32_t tiles,
                             ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2, x += 128, r += 128, h += 32, c += 32, fed += 32) {
    lstm_tiles(x, r, h, c, cells + tile, fed, hard, &tables, 1);
  }
  if (tile < tiles) lstm_tiles(x, r, h, c, cells + tile, fed, hard, &tables, 0);
}

/* ---- float32: as plain C, without fused operations ---- */

AVX512 ERNN_INLINE __m512 set_ps(float number) { return _mm512_set1_ps(number); }

AVX512 ERNN_INLINE __m512 mul_add__avx512(__m512 a, __m512 b, __m512 c) {
  return _mm512_add_ps(_mm512_mul_ps(a, b), c);
}

/* As ernn_exp, sixteen at a time. */
AVX512 ERNN_INLINE __m512 exp16(__m512 x) {
  const __m512 shifter = set_ps(12582912.0f);
  x = _mm512_max_ps(set_ps(-87.3f), x); /* NaN stays: max and min return their second */
  x = _mm512_min_ps(set_ps(88.3f), x);
  __m512 count = mul_add__avx512(x, set_ps(1.44269504f), shifter);
  __m512i exponent =
      _mm512_add_epi32(_mm512_castps_si512(count), _mm512_set1_epi32(127 - 0x4B400000));
  __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
  count = _mm512_sub_ps(count, shifter);
  __m512 r = mul_add__avx512(count, set_ps(-0.693359375f), x);
  r = mul_add__avx512(count, set_ps(2.12194440e-4f), r);
  __m512 p = set_ps(0.0013933641603216529f);
  p = mul_add__avx512(p, r, set_ps(0.008363175205886364f));
  p = mul_add__avx512(p, r, set_ps(0.04166646674275398f));
  p = mul_add__avx512(p, r, set_ps(0.16666576266288757f));
  p = mul_add__avx512(p, r, set_ps(0.5f));
  p = _mm512_add_ps(mul_add__avx512(p, _mm512_mul_ps(r, r), r), set_ps(1.0f));
  return _mm512_mul_ps(p, scale);
}

AVX512 ERNN_INLINE __m512 sigmoid16(__m512 x) {
  __m512 one = set_ps(1.0f), negative = _mm512_xor_ps(x, set_ps(-0.0f));
  return _mm512_div_ps(one, _mm512_add_ps(one, exp16(negative)));
}

AVX512 ERNN_INLINE __m512 tanh16(__m512 x) {
  __m512 powers = _mm512_add_ps(exp16(_mm512_add_ps(x, x)), set_ps(1.0f));
  return _mm512_sub_ps(set_ps(1.0f), _mm512_div_ps(set_ps(2.0f), powers));
}

#define SUM(i) _mm512_add_ps(_mm512_loadu_ps(x + (i)), _mm512_loadu_ps(r + (i)))

AVX512 void ernn_exact_gru__avx512(const float *x, const float *r, float *h, uint32_t tiles) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16) {
    __m512 z = sigmoid16(SUM(0)), reset = sigmoid16(SUM(16));
    __m512 n = tanh16(mul_add__avx512(reset, _mm512_loadu_ps(r + 32), _mm512_loadu_ps(x + 32)));
    __m512 before = _mm512_sub_ps(_mm512_loadu_ps(h), n);
    _mm512_storeu_ps(h, mul_add__avx512(z, before, n));
  }
}

AVX512 void ernn_exact_lstm__avx512(const float *x, const float *r, float *h, float *c,
                               uint32_t tiles) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16) {
    __m512 i = sigmoid16(SUM(0)), f = sigmoid16(SUM(16)), n = tanh16(SUM(32));
    __m512 o = sigmoid16(SUM(48));
    __m512 cell = mul_add__avx512(f, _mm512_loadu_ps(c), _mm512_mul_ps(i, n));
    _mm512_storeu_ps(c, cell);
    _mm512_storeu_ps(h, _mm512_mul_ps(o, tanh16(cell)));
  }
}

#undef SUM

#else
typedef int ernn_no_avx512_gates; /* C99 wants something in every file */
#endif
