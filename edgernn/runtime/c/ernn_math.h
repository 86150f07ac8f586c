/* ernn_math.h: the few functions of <math.h> that layers need, in plain arithmetic.
 *
 * They have no branches, so that loops over them become vector code, and they need no libm.  The
 * coefficients are least-squares fits at Chebyshev points; errors are relative to the exact value
 * and measured over all of float32's range in tests/c.
 */
#ifndef ERNN_MATH_H
#define ERNN_MATH_H

#include <stdint.h>

#include "ernn_kernels.h"

typedef union ernn_bits {
  float value;
  int32_t bits;
} ernn_bits;

/* exp(x) to 2e-7; 0 below -87.3, 2.4e38 above 88.3. */
ERNN_INLINE float ernn_exp(float x) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to the nearest integer */
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  ernn_bits scale, count;
  count.value = x * 1.44269504f + shifter;
  /* The integer is in the low bits: no conversion, which NaN would make undefined. */
  scale.bits = (int32_t)(((uint32_t)count.bits - 0x4B400000u + 127u) << 23);
  count.value -= shifter;
  float r = x - count.value * 0.693359375f; /* ln 2 in two parts, the first with 9 bits */
  r = r + count.value * 2.12194440e-4f;
  float p = 0.0013933641603216529f;
  p = p * r + 0.008363175205886364f;
  p = p * r + 0.04166646674275398f;
  p = p * r + 0.16666576266288757f;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  return p * scale.value;
}

/* To 1e-7, absolute. */
ERNN_INLINE float ernn_sigmoid(float x) { return 1.0f / (1.0f + ernn_exp(-x)); }

ERNN_INLINE float ernn_tanh(float x) { return 1.0f - 2.0f / (ernn_exp(2.0f * x) + 1.0f); }

/* log(x) to 1e-7, for x > 0 and not subnormal. */
ERNN_INLINE float ernn_log(float x) {
  ernn_bits pun;
  pun.value = x;
  int32_t exponent = (pun.bits - 0x3F3504F3) >> 23; /* mantissa from sqrt(1/2) to sqrt(2) */
  pun.bits -= exponent * (1 << 23);
  float f = pun.value - 1.0f;
  float p = 0.0927215963602066f;
  p = p * f + -0.14118419587612152f;
  p = p * f + 0.1467641144990921f;
  p = p * f + -0.16592857241630554f;
  p = p * f + 0.19985127449035645f;
  p = p * f + -0.2500092089176178f;
  p = p * f + 0.3333340883255005f;
  float series = p * (f * f) * f - 0.5f * (f * f) + f;
  return series + (float)exponent * 0.69314718f;
}

/* log(1 + exp(x)) */
ERNN_INLINE float ernn_softplus(float x) {
  float magnitude = x < 0.0f ? -x : x;
  return (x > 0.0f ? x : 0.0f) + ernn_log(1.0f + ernn_exp(-magnitude));
}

/* erf(x) to 1.5e-7, absolute: Abramowitz and Stegun, 7.1.26. */
ERNN_INLINE float ernn_erf(float x) {
  float magnitude = x < 0.0f ? -x : x;
  float t = 1.0f / (1.0f + 0.3275911f * magnitude);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  float upper = 1.0f - p * t * ernn_exp(-magnitude * magnitude);
  return x < 0.0f ? -upper : upper;
}

/* sqrt(x) for x > 0: Newton's steps for 1 / sqrt(x), then one for sqrt(x) itself. */
ERNN_INLINE float ernn_sqrt(float x) {
  ernn_bits pun;
  pun.value = x;
  pun.bits = 0x5F3759DF - (pun.bits >> 1);
  float y = pun.value;
  for (int i = 0; i < 3; i++) y = y * (1.5f - 0.5f * x * y * y);
  float root = x * y;
  return root + 0.5f * y * (x - root * root);
}

/* IEEE half to float, also for subnormals. */
ERNN_INLINE float ernn_half(uint16_t half) {
  ernn_bits pun, scale;
  pun.bits = (int32_t)((uint32_t)(half & 0x7FFFu) << 13);
  scale.bits = 0x77800000; /* 2^112: moves the exponent's bias from 15 to 127 */
  pun.value *= scale.value;
  pun.bits |= (int32_t)((uint32_t)(half & 0x8000u) << 16);
  return pun.value;
}

#endif
