/* kernels_avx512_gates.c: the gates of cells with AVX-512, twice as many units at a time as with AVX2;
 * the same operations in the same order. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_AVX512

#include "kernels_avx512_gates.h"

AVX512 ERNN_INLINE void gru_tiles_of(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                                     ernn_hard hard, const tanh_tables__avx512 *tables,
                                     const int has_second) {
  __m512i gates[3];
  ERNN_UNROLL
  for (int gate = 0; gate < 3; gate++) gates[gate] = load_gate(r, 3, gate, has_second);
  gru_tiles(x, gates, h, fed, hard, tables, has_second);
}

AVX512 void ernn_s16_gru__avx512(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                            uint32_t tiles, ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2, x += 96, r += 96, h += 32, fed += 32) {
    gru_tiles_of(x, r, h, fed, hard, &tables, 1);
  }
  if (tile < tiles) gru_tiles_of(x, r, h, fed, hard, &tables, 0);
}

AVX512 ERNN_INLINE void lstm_tiles_of(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                                      const ernn_cell *cells, uint8_t *fed, ernn_hard hard,
                                      const tanh_tables__avx512 *tables, const int has_second) {
  __m512i gates[4];
  ERNN_UNROLL
  for (int gate = 0; gate < 4; gate++) gates[gate] = load_gate(r, 4, gate, has_second);
  lstm_tiles(x, gates, h, c, cells, fed, hard, tables, has_second);
}

AVX512 void ernn_s16_lstm__avx512(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                             const ernn_cell *cells, uint8_t *fed, uint32_t tiles,
                             ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2, x += 128, r += 128, h += 32, c += 32, fed += 32) {
    lstm_tiles_of(x, r, h, c, cells + tile, fed, hard, &tables, 1);
  }
  if (tile < tiles) lstm_tiles_of(x, r, h, c, cells + tile, fed, hard, &tables, 0);
}

/* ---- float32: fused, or in the roundings of plain C, which gives the same bits everywhere ---- */

AVX512 ERNN_INLINE __m512 set_ps(float number) { return _mm512_set1_ps(number); }

AVX512 ERNN_INLINE __m512 mul_add__avx512(__m512 a, __m512 b, __m512 c, const int fused) {
  return fused ? _mm512_fmadd_ps(a, b, c) : _mm512_add_ps(_mm512_mul_ps(a, b), c);
}

/* Chains of dependent operations are longer than what a processor looks ahead.  Four of them go side by
 * side, one operation at a time; the empty asm keeps compilers from putting them one after the other. */
#define EACH(what, value)                                                                          \
  ERNN_UNROLL                                                                                      \
  for (int j = 0; j < 4; j++) {                                                                    \
    (what)[j] = (value);                                                                           \
    __asm__("" : "+v"((what)[j]));                                                                 \
  }

/* As ernn_exp, of four vectors in place.  scalef multiplies by a power of two, which is exact. */
AVX512 ERNN_INLINE void exps(__m512 *x, const int fused) {
  const __m512 shifter = set_ps(12582912.0f);
  __m512 count[4], r[4], p[4];
  EACH(x, _mm512_max_ps(set_ps(-87.3f), x[j])) /* NaN stays: max and min return their second */
  EACH(x, _mm512_min_ps(set_ps(88.3f), x[j]))
  EACH(count, mul_add__avx512(x[j], set_ps(1.44269504f), shifter, fused))
  EACH(count, _mm512_sub_ps(count[j], shifter))
  EACH(r, mul_add__avx512(count[j], set_ps(-0.693359375f), x[j], fused))
  EACH(r, mul_add__avx512(count[j], set_ps(2.12194440e-4f), r[j], fused))
  EACH(p, mul_add__avx512(r[j], set_ps(0.0013933641603216529f), set_ps(0.008363175205886364f), fused))
  EACH(p, mul_add__avx512(p[j], r[j], set_ps(0.04166646674275398f), fused))
  EACH(p, mul_add__avx512(p[j], r[j], set_ps(0.16666576266288757f), fused))
  EACH(p, mul_add__avx512(p[j], r[j], set_ps(0.5f), fused))
  EACH(p, mul_add__avx512(p[j], _mm512_mul_ps(r[j], r[j]), r[j], fused))
  EACH(p, _mm512_add_ps(p[j], set_ps(1.0f)))
  EACH(x, _mm512_scalef_ps(p[j], count[j]))
}

AVX512 ERNN_INLINE void sigmoids_of(__m512 *numbers, const int fused) {
  const __m512 one = set_ps(1.0f);
  __m512 x[4];
  EACH(x, _mm512_xor_ps(numbers[j], set_ps(-0.0f)))
  exps(x, fused);
  EACH(x, _mm512_add_ps(one, x[j]))
  EACH(numbers, _mm512_div_ps(one, x[j]))
}

AVX512 ERNN_INLINE void tanhs_of(__m512 *numbers, const int fused) {
  const __m512 one = set_ps(1.0f);
  __m512 x[4];
  EACH(x, _mm512_add_ps(numbers[j], numbers[j]))
  exps(x, fused);
  EACH(x, _mm512_add_ps(x[j], one))
  EACH(x, _mm512_div_ps(set_ps(2.0f), x[j]))
  EACH(numbers, _mm512_sub_ps(one, x[j]))
}

#undef EACH

/* Functions of their own: a step needs them three or five times. */
AVX512 ERNN_NOINLINE static void sigmoids_fused(__m512 *x) { sigmoids_of(x, 1); }
AVX512 ERNN_NOINLINE static void sigmoids_exact(__m512 *x) { sigmoids_of(x, 0); }
AVX512 ERNN_NOINLINE static void tanhs_fused(__m512 *x) { tanhs_of(x, 1); }
AVX512 ERNN_NOINLINE static void tanhs_exact(__m512 *x) { tanhs_of(x, 0); }

AVX512 ERNN_INLINE void sigmoids(__m512 *x, const int fused) {
  if (fused) {
    sigmoids_fused(x);
  } else {
    sigmoids_exact(x);
  }
}

AVX512 ERNN_INLINE void tanhs(__m512 *x, const int fused) {
  if (fused) {
    tanhs_fused(x);
  } else {
    tanhs_exact(x);
  }
}

/* Sixteen numbers from number i on.  Plain ones are fused: they have no scale. */
AVX512 ERNN_INLINE __m512 load_scaled16(const ernn_scaled *from, size_t i, const int fused) {
  __m512 numbers = _mm512_loadu_ps(from->of + i);
  if (fused) return numbers;
  numbers = _mm512_mul_ps(numbers, set_ps(from->scale));
  return from->bias ? _mm512_add_ps(numbers, _mm512_loadu_ps(from->bias + i)) : numbers;
}

/* As ernn_rounded of states, to bytes q + 128; which of them are beyond 1. */
AVX512 ERNN_INLINE uint32_t feed16(__m512 h, uint8_t *fed) {
  __m512 scaled = _mm512_mul_ps(h, set_ps(ERNN_STATE_STEPS));
  __mmask16 is_number = _mm512_cmp_ps_mask(scaled, scaled, _CMP_ORD_Q);
  scaled = _mm512_maskz_min_ps(is_number, scaled, set_ps(ERNN_STATE_LIMIT)); /* NaN is 0 */
  scaled = _mm512_add_ps(_mm512_max_ps(scaled, set_ps(-ERNN_STATE_LIMIT)), set_ps(12582912.0f));
  __m512i bytes = _mm512_add_epi32(_mm512_castps_si512(scaled), _mm512_set1_epi32(128 - 0x4B400000));
  _mm_storeu_si128((__m128i *)(void *)fed, _mm512_cvtepi32_epi8(bytes));
  return _mm512_cmp_ps_mask(_mm512_abs_ps(h), set_ps(1.0f), _CMP_GT_OQ);
}

/* Four tiles at a time; where fewer are left, the last takes the places of those that are not there. */
#define TILES ERNN_UNROLL for (size_t j = 0; j < 4; j++)
#define PLACE(gate, gates) (16 * ((gates) * (tile + (j < left ? j : left - 1)) + (gate)))
#define X(gate, gates) load_scaled16(x, PLACE(gate, gates), fused)
#define R(gate, gates) load_scaled16(r, PLACE(gate, gates), fused)
#define SUM(gate, gates) _mm512_add_ps(X(gate, gates), R(gate, gates))

AVX512 ERNN_INLINE uint32_t f32_gru_of(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                       uint8_t *fed, uint32_t tiles, const int fused) {
  uint32_t beyond = 0;
  for (size_t tile = 0; tile < tiles; tile += 4) {
    const size_t left = tiles - tile < 4 ? tiles - tile : 4;
    __m512 reset[4], z[4], fresh[4];
    TILES reset[j] = SUM(1, 3);
    sigmoids(reset, fused);
    TILES z[j] = SUM(0, 3);
    sigmoids(z, fused);
    TILES fresh[j] = mul_add__avx512(reset[j], R(2, 3), X(2, 3), fused);
    tanhs(fresh, fused);
    for (size_t j = 0; j < left; j++) {
      size_t at = 16 * (tile + j);
      __m512 before = _mm512_sub_ps(_mm512_loadu_ps(h + at), fresh[j]);
      __m512 state = mul_add__avx512(z[j], before, fresh[j], fused);
      _mm512_storeu_ps(h + at, state);
      if (!fused) beyond |= feed16(state, fed + at);
    }
  }
  return beyond;
}

AVX512 ERNN_INLINE uint32_t f32_lstm_of(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                        float *c, uint8_t *fed, uint32_t tiles, const int fused) {
  uint32_t beyond = 0;
  for (size_t tile = 0; tile < tiles; tile += 4) {
    const size_t left = tiles - tile < 4 ? tiles - tile : 4;
    __m512 gate[4], cell[4];
    TILES cell[j] = SUM(0, 4);
    sigmoids(cell, fused);
    TILES gate[j] = SUM(2, 4);
    tanhs(gate, fused);
    TILES cell[j] = _mm512_mul_ps(cell[j], gate[j]);
    TILES gate[j] = SUM(1, 4);
    sigmoids(gate, fused);
    TILES cell[j] = mul_add__avx512(gate[j], _mm512_loadu_ps(c + PLACE(0, 1)), cell[j], fused);
    TILES gate[j] = SUM(3, 4);
    sigmoids(gate, fused);
    for (size_t j = 0; j < left; j++) _mm512_storeu_ps(c + 16 * (tile + j), cell[j]);
    tanhs(cell, fused);
    for (size_t j = 0; j < left; j++) {
      size_t at = 16 * (tile + j);
      __m512 state = _mm512_mul_ps(gate[j], cell[j]);
      _mm512_storeu_ps(h + at, state);
      if (!fused) beyond |= feed16(state, fed + at);
    }
  }
  return beyond;
}

#undef SUM
#undef R
#undef X
#undef PLACE
#undef TILES

AVX512 void ernn_f32_gru__avx512(const float *x, const float *r, float *h, uint32_t tiles) {
  ernn_scaled of_x = {x, NULL, 1.0f}, of_r = {r, NULL, 1.0f};
  f32_gru_of(&of_x, &of_r, h, NULL, tiles, 1);
}

AVX512 uint32_t ernn_dynamic_gru__avx512(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                         uint8_t *fed, uint32_t tiles) {
  return f32_gru_of(x, r, h, fed, tiles, 0);
}

AVX512 void ernn_f32_lstm__avx512(const float *x, const float *r, float *h, float *c,
                                  uint32_t tiles) {
  ernn_scaled of_x = {x, NULL, 1.0f}, of_r = {r, NULL, 1.0f};
  f32_lstm_of(&of_x, &of_r, h, c, NULL, tiles, 1);
}

AVX512 uint32_t ernn_dynamic_lstm__avx512(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                          float *c, uint8_t *fed, uint32_t tiles) {
  return f32_lstm_of(x, r, h, c, fed, tiles, 0);
}

#else
typedef int ernn_no_avx512_gates; /* C99 wants something in every file */
#endif
