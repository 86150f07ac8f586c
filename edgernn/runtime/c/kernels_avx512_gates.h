/* kernels_avx512_gates.h: the integer gates of one tile or of two with AVX-512, twice as many units at a
 * time as with AVX2; the same operations in the same order. */
#ifndef KERNELS_AVX512_GATES_H
#define KERNELS_AVX512_GATES_H

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

/* Gate `gate` of one tile or of two, from [tile][gate][16]. */
AVX512 ERNN_INLINE __m512i load_gate(const int16_t *from, int gates, int gate, int has_second) {
  return load_two(from + 16 * gate, from + 16 * (gates + gate), has_second);
}

/* One tile or two.  r: the recurrent part of each gate. */
AVX512 ERNN_INLINE void gru_tiles(const int16_t *x, const __m512i r[3], int16_t *h, uint8_t *fed,
                                  ernn_hard hard, const tanh_tables__avx512 *tables,
                                  const int has_second) {
  __m512i z = fixed_gate32(_mm512_adds_epi16(load_gate(x, 3, 0, has_second), r[0]), hard, tables);
  __m512i reset = fixed_gate32(_mm512_adds_epi16(load_gate(x, 3, 1, has_second), r[1]), hard, tables);
  __m512i n = _mm512_adds_epi16(load_gate(x, 3, 2, has_second), _mm512_mulhrs_epi16(reset, r[2]));
  __m512i before = load_two(h, h + 16, has_second);
  store_state(h, fed, gru_state32(z, fixed_tanh32(n, tables), before), has_second);
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

AVX512 ERNN_INLINE void lstm_tiles(const int16_t *x, const __m512i r[4], int16_t *h, int16_t *c,
                                   const ernn_cell *cells, uint8_t *fed, ernn_hard hard,
                                   const tanh_tables__avx512 *tables, const int has_second) {
#define SUM(gate) _mm512_adds_epi16(load_gate(x, 4, gate, has_second), r[gate])
  __m512i i = fixed_gate32(SUM(0), hard, tables);
  __m512i f = fixed_gate32(SUM(1), hard, tables);
  __m512i n = fixed_tanh32(SUM(2), tables);
  __m512i o = fixed_gate32(SUM(3), hard, tables);
#undef SUM
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

#endif
