/* kernels_avx512_steps.c: whole steps of cells with AVX-512 and VNNI: the recurrent product of two
 * tiles of units, and their gates while the weights of the next two are on their way. */

#include "ernn_kernels.h"

#ifdef ERNN_HAS_AVX512

#include "kernels_avx512_gates.h"

/* Requantizes the sums of a gate of two tiles, whose columns are `apart`:
 * [16 units of the first | 16 units of the second]. */
AVX512 ERNN_INLINE __m512i requantized(__m512i first, __m512i second, const ernn_product *product,
                                       size_t column, size_t apart) {
  const __m512i natural = _mm512_setr_epi64(0, 4, 2, 6, 1, 5, 3, 7);
  const int16_t *multiplier = product->multiplier + column;
  first = _mm512_srav_epi32(first, load_bytes(product->shift + column));
  second = _mm512_srav_epi32(second, load_bytes(product->shift + column + apart));
  __m512i words = _mm512_permutexvar_epi64(natural, _mm512_packs_epi32(first, second));
  return _mm512_mulhrs_epi16(words, load_two(multiplier, multiplier + apart, 1));
}

/* The recurrent sums of `gates` gates of the tiles of units `tile` and `tile` + 1.  Those of every other
 * group of four rows are kept apart, for an instruction that adds waits for the one before. */
AVX512 ERNN_INLINE void sums_of_two(const ernn_product *product, const uint8_t *fed, uint32_t tile,
                                   __m512i *sums, const int gates) {
  const uint32_t quads = (product->rows + 3) / 4;
  const size_t panel = (size_t)64 * (size_t)gates * quads;
  const size_t column = 16 * (size_t)gates * tile;
  const int8_t *weights = product->panels + panel * tile;
  const int n = 2 * gates;
  ERNN_UNROLL
  for (int j = 0; j < n; j++) {
    sums[j] = load_bytes(product->unsigned_bias + column + 16 * (size_t)j);
    sums[n + j] = _mm512_setzero_si512();
  }
#define QUAD(a)                                                                                    \
  {                                                                                                \
    __m512i states = broadcast_quad__avx512(fed);                                                  \
    ERNN_UNROLL                                                                                    \
    for (int j = 0; j < n; j++) {                                                                  \
      __m512i w = load_bytes(weights + panel * (size_t)(j / gates) + 64 * (j % gates));            \
      sums[(a) * n + j] = _mm512_dpbusd_epi32(sums[(a) * n + j], states, w);                       \
    }                                                                                              \
    fed += 4;                                                                                      \
    weights += 64 * gates;                                                                         \
  }
  uint32_t quad = 0;
  for (; quad + 2 <= quads; quad += 2) {
    QUAD(0)
    QUAD(1)
    KEEP_IN_PLACE(sums, 2 * n);
  }
  if (quad < quads) QUAD(0)
#undef QUAD
  ERNN_UNROLL
  for (int j = 0; j < n; j++) sums[j] = _mm512_add_epi32(sums[j], sums[n + j]);
}

/* The same, requantized: a vector for each gate. */
AVX512 ERNN_INLINE void recurrent_of(const ernn_product *product, const uint8_t *fed, uint32_t tile,
                                     __m512i *out, const int gates) {
  const size_t width = 16 * (size_t)gates, column = width * tile;
  __m512i sums[16];
  sums_of_two(product, fed, tile, sums, gates);
  ERNN_UNROLL
  for (int i = 0; i < gates; i++) {
    out[i] = requantized(sums[i], sums[gates + i], product, column + 16 * (size_t)i, width);
  }
}

/* One tile of units, which has no neighbour. */
AVX512 ERNN_INLINE ernn_product only_tile(const ernn_product *product, uint32_t tile, uint32_t gates) {
  ernn_product only = *product;
  const size_t column = (size_t)16 * gates * tile;
  only.panels += column * (4 * ((product->rows + 3) / 4));
  only.bias += column;
  only.unsigned_bias += column;
  only.shift += column;
  only.multiplier += column;
  only.output_scale += column;
  only.columns = 16 * gates;
  return only;
}

/* Tiles [2 pair, 2 pair + 2) in turn, every other time from the last pair to the first: as ERNN_PARTS. */
#define EACH_PAIR(tiles, turn)                                                                     \
  for (uint32_t i = 0, pairs = ((tiles) + 1) / 2, tile = 0;                                        \
       i < pairs && (tile = 2 * ((turn) & 1u ? pairs - 1 - i : i), 1); i++)

AVX512 void ernn_u8_gru__avx512(const ernn_product *recurrent, const int16_t *x, const uint8_t *fed,
                                int16_t *h, uint8_t *next, uint32_t turn, ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tiles = recurrent->columns / (3 * ERNN_TILE);
  EACH_PAIR(tiles, turn) {
    size_t at = 16 * (size_t)tile;
    if (tile + 1 < tiles) {
      __m512i r[3];
      recurrent_of(recurrent, fed, tile, r, 3);
      gru_tiles(x + 3 * at, r, h + at, next + at, hard, &tables, 1);
    } else {
      int16_t r[3 * ERNN_TILE];
      ernn_product only = only_tile(recurrent, tile, 3);
      ernn_u8_product__avx512vnni(fed, 0, 1, &only, r, 0);
      ernn_s16_gru__avx512(x + 3 * at, r, h + at, next + at, 1, hard);
    }
  }
}

AVX512 void ernn_u8_lstm__avx512(const ernn_product *recurrent, const int16_t *x, const uint8_t *fed,
                                 int16_t *h, int16_t *c, const ernn_cell *cells, uint8_t *next,
                                 uint32_t turn, ernn_hard hard) {
  tanh_tables__avx512 tables = load_tanh_tables__avx512();
  uint32_t tiles = recurrent->columns / (4 * ERNN_TILE);
  EACH_PAIR(tiles, turn) {
    size_t at = 16 * (size_t)tile;
    if (tile + 1 < tiles) {
      __m512i r[4];
      recurrent_of(recurrent, fed, tile, r, 4);
      lstm_tiles(x + 4 * at, r, h + at, c + at, cells + tile, next + at, hard, &tables, 1);
    } else {
      int16_t r[4 * ERNN_TILE];
      ernn_product only = only_tile(recurrent, tile, 4);
      ernn_u8_product__avx512vnni(fed, 0, 1, &only, r, 0);
      ernn_s16_lstm__avx512(x + 4 * at, r, h + at, c + at, cells + tile, next + at, 1, hard);
    }
  }
}

#undef EACH_PAIR

/* ---- The dynamic scheme: gates are floats, of four tiles of units at a time ---- */

enum { GROUP = 4 };

/* The recurrent sums of two tiles of units as floats, [tile][gate][16]. */
AVX512 ERNN_INLINE void scaled_sums(const ernn_product *product, const uint8_t *fed, uint32_t tile,
                                    float *out, const int gates) {
  const float *scale = product->output_scale + (size_t)tile * 16 * (size_t)gates;
  __m512i sums[16];
  sums_of_two(product, fed, tile, sums, gates);
  ERNN_UNROLL
  for (int i = 0; i < 2 * gates; i++) {
    __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[i]), _mm512_loadu_ps(scale + 16 * i));
    _mm512_storeu_ps(out + 16 * i, _mm512_shuffle_f32x4(scaled, scaled, 0xD8));
  }
}

AVX512 ERNN_INLINE uint32_t dynamic_step(const ernn_product *recurrent, const ernn_scaled *x,
                                         const ernn_scaled *r, const uint8_t *fed, float *h, float *c,
                                         uint8_t *next, uint32_t turn, const int gates) {
  const uint32_t tiles = recurrent->columns / ((uint32_t)gates * ERNN_TILE);
  const uint32_t groups = (tiles + GROUP - 1) / GROUP;
  float sums[GROUP * 4 * ERNN_TILE];
  uint32_t beyond = 0;
  for (uint32_t i = 0; i < groups; i++) {
    uint32_t first = GROUP * (turn & 1u ? groups - 1 - i : i);
    uint32_t taken = tiles - first < GROUP ? tiles - first : GROUP;
    for (uint32_t tile = 0; tile < taken; tile += 2) {
      float *out = sums + (size_t)tile * 16 * (size_t)gates;
      if (tile + 1 < taken) {
        scaled_sums(recurrent, fed, first + tile, out, gates);
      } else {
        ernn_product only = only_tile(recurrent, first + tile, (uint32_t)gates);
        ernn_u8_sums__avx512vnni(fed, 0, 1, &only, out, 0);
      }
    }
    size_t unit = (size_t)first * ERNN_TILE, column = unit * (size_t)gates;
    ernn_scaled of_x = {x->of + column, x->bias ? x->bias + column : NULL, x->scale};
    ernn_scaled of_r = {sums, r->bias ? r->bias + column : NULL, r->scale};
    if (gates == 4) {
      beyond |= ernn_dynamic_lstm__avx512(&of_x, &of_r, h + unit, c + unit, next + unit, taken);
    } else {
      beyond |= ernn_dynamic_gru__avx512(&of_x, &of_r, h + unit, next + unit, taken);
    }
  }
  return beyond;
}

AVX512 uint32_t ernn_u8_dynamic_gru__avx512(const ernn_product *recurrent, const ernn_scaled *x,
                                            const ernn_scaled *r, const uint8_t *fed, float *h,
                                            uint8_t *next, uint32_t turn) {
  return dynamic_step(recurrent, x, r, fed, h, NULL, next, turn, 3);
}

AVX512 uint32_t ernn_u8_dynamic_lstm__avx512(const ernn_product *recurrent, const ernn_scaled *x,
                                             const ernn_scaled *r, const uint8_t *fed, float *h,
                                             float *c, uint8_t *next, uint32_t turn) {
  return dynamic_step(recurrent, x, r, fed, h, c, next, turn, 4);
}

#else
typedef int ernn_no_avx512_steps; /* C99 wants something in every file */
#endif
