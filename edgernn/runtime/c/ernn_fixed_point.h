/* ernn_fixed_point.h: the operations of docs/integer-arithmetic.md on single numbers. */
#ifndef ERNN_FIXED_POINT_H
#define ERNN_FIXED_POINT_H

#include "ernn_kernels.h"

/* tanh in 16 segments: value, slope, and curvature divided by -16 (section 5). */
static const int16_t ernn_tanh_value[16] = {0,     8023,  15142, 20814, 24958, 27798, 29661, 30848,
                                            31593, 32331, 32606, 32708, 32746, 32760, 32765, 32767};
static const int16_t ernn_tanh_slope[16] = {16526, 15509, 12909, 9729, 6811, 4537, 2914, 1833,
                                            2177,  812,   307,   115,  43,   11,   5,    0};
static const uint8_t ernn_tanh_curvature[16] = {58, 158, 196, 181, 142, 102, 68, 44,
                                                89, 33,  13,  5,   2,   0,   0,  0};

/* Beyond this, T is constant. */
#define ERNN_TANH_END 24575

ERNN_INLINE int32_t ernn_sat16(int32_t a) {
  a = a > 32767 ? 32767 : a;
  return a < -32768 ? -32768 : a;
}

ERNN_INLINE int32_t ernn_adds(int32_t a, int32_t b) { return ernn_sat16(a + b); }

ERNN_INLINE int32_t ernn_mulr(int32_t a, int32_t b) { return (a * b + 0x4000) >> 15; }

/* T(v) */
ERNN_INLINE int32_t ernn_table_tanh(int32_t v) {
  int32_t u = v < 0 ? -v : v;
  u = u > ERNN_TANH_END ? ERNN_TANH_END : u;
  int32_t w = u + (u < 8192 ? u : 8192);
  int32_t s = w >> 11, d = (w & 2047) << 3;
  int32_t slope = ernn_tanh_slope[s] + ernn_mulr(d, -16 * ernn_tanh_curvature[s]);
  int32_t y = ernn_tanh_value[s] + ernn_mulr(d, slope);
  return v < 0 ? -y : y;
}

ERNN_INLINE int32_t ernn_fixed_tanh(int32_t p) { return ernn_table_tanh(ernn_adds(p, p)); }

ERNN_INLINE int32_t ernn_fixed_sigmoid(int32_t p) { return (ernn_table_tanh(p) >> 1) + 16384; }

ERNN_INLINE int32_t ernn_fixed_gate(int32_t p, ernn_hard hard) {
  if (hard.limit == 0) return ernn_fixed_sigmoid(p);
  int32_t most = hard.limit;
  p = p > most ? most : p;
  p = p < -most ? -most : p;
  int32_t opened = ernn_mulr(4 * p, hard.factor) + 16384;
  opened = opened > 32767 ? 32767 : opened;
  return opened < 0 ? 0 : opened;
}

/* narrow(h) + 128, of h in 16 bits: no number is larger than they hold, so that vectors take eight. */
ERNN_INLINE uint8_t ernn_fed(int32_t h) {
  uint16_t half = (uint16_t)(((uint16_t)(h + 32768) >> 7) + 1);
  uint16_t rounded = half >> 1; /* 256 where it must saturate */
  return (uint8_t)(rounded - (rounded >> 8));
}

/* h' of a GRU; z: 1 - z */
ERNN_INLINE int32_t ernn_gru_state(int32_t z, int32_t n, int32_t h) {
  return (z * n + (32768 - z) * h + 0x4000) >> 15;
}

/* c' of an LSTM; f: 1 - f */
ERNN_INLINE int32_t ernn_lstm_cell(int32_t i, int32_t f, int32_t n, int32_t c, int32_t exponent) {
  int32_t cell = ((32768 - f) * c + ((i * n) >> exponent) + 0x4000) >> 15;
  cell = cell > 32767 ? 32767 : cell;
  return cell < -32767 ? -32767 : cell;
}

/* h' of an LSTM */
ERNN_INLINE int32_t ernn_lstm_state(int32_t o, int32_t c, int32_t limit, int32_t factor) {
  c = c > limit ? limit : c;
  c = c < -limit ? -limit : c;
  return ernn_mulr(o, ernn_table_tanh(c * factor));
}

#endif
