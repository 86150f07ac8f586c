/* kernels_rows.h: loops over rows of floats that a compiler turns into whatever vectors a target has.
 *
 * Each set of kernels compiles them for its own instructions, under its own names.  Every operation
 * is one of IEEE's on single numbers, in a fixed order: all sets give the same bits. */
#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "ernn_math.h"

/* x * reciprocal to the nearest integer, ties to even; NaN is 0. */
ERNN_INLINE int32_t ernn_rounded(float x, float reciprocal, float limit) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to the nearest, ties to even */
  ernn_bits pun;
  pun.value = x * reciprocal;
  pun.value = pun.value == pun.value ? pun.value : 0.0f;
  pun.value = pun.value > limit ? limit : pun.value;
  pun.value = pun.value < -limit ? -limit : pun.value;
  pun.value += shifter;
  return pun.bits - 0x4B400000;
}

/* By bits: comparing integers goes over several numbers at once, comparing floats with NaN does not. */
ERNN_INLINE float peak_of(const float *x, size_t count) {
  int32_t most = 0;
  for (size_t i = 0; i < count; i++) {
    ernn_bits pun;
    pun.value = x[i];
    int32_t bits = pun.bits & 0x7FFFFFFF;
    bits = bits > 0x7F800000 ? 0 : bits; /* NaN */
    most = bits > most ? bits : most;
  }
  ernn_bits peak;
  peak.bits = most > 0x7F7FFFFF ? 0x7F7FFFFF : most;
  return peak.value;
}

ERNN_INLINE void scale_of(float *x, size_t count, float scale, const float *bias) {
  if (bias) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] * scale + bias[i];
  } else {
    for (size_t i = 0; i < count; i++) x[i] = x[i] * scale;
  }
}

ERNN_INLINE void bytes_of(const float *x, size_t count, float reciprocal, float limit,
                          uint8_t *out) {
  for (size_t i = 0; i < count; i++) {
    out[i] = (uint8_t)(ernn_rounded(x[i], reciprocal, limit) + 128);
  }
}

ERNN_INLINE void words_of(const float *x, size_t count, float reciprocal, float limit,
                          int16_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = (int16_t)ernn_rounded(x[i], reciprocal, limit);
}

ERNN_INLINE void planes_of(const float *x, size_t count, float reciprocal, float limit,
                           uint8_t *high, uint8_t *low) {
  for (size_t i = 0; i < count; i++) {
    uint32_t word = (uint32_t)(ernn_rounded(x[i], reciprocal, limit) + 32768);
    high[i] = (uint8_t)(word >> 8);
    low[i] = (uint8_t)word;
  }
}

/* Compilers unroll loops over a tile before they see that these would be vectors. */
#if defined(__GNUC__) || defined(__clang__)
typedef int32_t ernn_tile_s32 __attribute__((vector_size(4 * ERNN_TILE)));
typedef int16_t ernn_tile_s16 __attribute__((vector_size(2 * ERNN_TILE), aligned(2), may_alias));
typedef uint8_t ernn_tile_u8 __attribute__((vector_size(ERNN_TILE), aligned(1), may_alias));
typedef uint32_t ernn_tile_u32 __attribute__((vector_size(4 * ERNN_TILE), aligned(4), may_alias));

/* Adds the products of one tap to `sum`. */
#define ERNN_ADD_TAP(type, zero)                                                                   \
  sum += (ernn_tile_u32)((__builtin_convertvector(*(const type *)(const void *)from,               \
                                                  ernn_tile_s32) - (zero)) *                       \
                         __builtin_convertvector(*(const ernn_tile_s16 *)(const void *)w,          \
                                                 ernn_tile_s32))
#define ERNN_TILE_BEGIN ernn_tile_u32 sum = *(const ernn_tile_u32 *)(const void *)sums;
#define ERNN_TILE_END *(ernn_tile_u32 *)(void *)sums = sum;
#else
#define ERNN_ADD_TAP(type, zero)                                                                   \
  for (uint32_t i = 0; i < ERNN_TILE; i++) sums[i] += (uint32_t)(((int32_t)from[i] - (zero)) * w[i])
#define ERNN_TILE_BEGIN
#define ERNN_TILE_END
#endif

ERNN_INLINE void byte_taps_of(const uint8_t *x, const int16_t *w, const ernn_taps *taps,
                              uint32_t *sums) {
  ERNN_TILE_BEGIN
  for (uint32_t row = 0; row < taps->rows; row++, x += taps->row) {
    const uint8_t *from = x;
    for (uint32_t column = 0; column < taps->columns; column++) {
      ERNN_ADD_TAP(ernn_tile_u8, 128);
      from += taps->column;
      w += taps->weights;
    }
  }
  ERNN_TILE_END
}

ERNN_INLINE void word_taps_of(const int16_t *x, const int16_t *w, const ernn_taps *taps,
                              uint32_t *sums) {
  ERNN_TILE_BEGIN
  for (uint32_t row = 0; row < taps->rows; row++, x += taps->row) {
    const int16_t *from = x;
    for (uint32_t column = 0; column < taps->columns; column++) {
      ERNN_ADD_TAP(ernn_tile_s16, 0);
      from += taps->column;
      w += taps->weights;
    }
  }
  ERNN_TILE_END
}

#define ERNN_ANY_TARGET

/* Defines all of them as f32_*__<isa>, u8_* and s16_*.  bytes_of, planes_of: what makes numbers bytes, and
 * splits them into planes. */
#define ERNN_ROW_KERNELS(target, isa, bytes_of, planes_of)                                         \
  target static float f32_peak__##isa(const float *x, size_t count) { return peak_of(x, count); }  \
  target static void f32_scale__##isa(float *x, size_t count, float scale, const float *bias) {    \
    scale_of(x, count, scale, bias);                                                               \
  }                                                                                                \
  target static void f32_bytes__##isa(const float *x, size_t count, float reciprocal,              \
                                      float limit, uint8_t *out) {                                 \
    bytes_of(x, count, reciprocal, limit, out);                                                    \
  }                                                                                                \
  target static void f32_words__##isa(const float *x, size_t count, float reciprocal,              \
                                      float limit, int16_t *out) {                                 \
    words_of(x, count, reciprocal, limit, out);                                                    \
  }                                                                                                \
  target static void f32_planes__##isa(const float *x, size_t count, float reciprocal,             \
                                       float limit, uint8_t *high, uint8_t *low) {                 \
    planes_of(x, count, reciprocal, limit, high, low);                                             \
  }                                                                                                \
  target static void u8_taps__##isa(const uint8_t *x, const int16_t *w, const ernn_taps *taps,     \
                                    uint32_t *sums) {                                              \
    byte_taps_of(x, w, taps, sums);                                                                \
  }                                                                                                \
  target static void s16_taps__##isa(const int16_t *x, const int16_t *w, const ernn_taps *taps,    \
                                     uint32_t *sums) {                                             \
    word_taps_of(x, w, taps, sums);                                                                \
  }                                                                                                \
  const ernn_row_kernels ernn_rows_##isa = {f32_peak__##isa,  f32_scale__##isa, f32_bytes__##isa,  \
                                            f32_words__##isa, f32_planes__##isa,                   \
                                            ERNN_HAS_IMAGES ? u8_taps__##isa : NULL,               \
                                            ERNN_HAS_IMAGES ? s16_taps__##isa : NULL};

#endif
