/* ernn_spectrum.c: a real Fourier transform by Stockham's radix-4 passes, four numbers side by side.
 *
 * The even samples are the real parts and the odd ones the imaginary parts of half as many complex
 * numbers.  A pass reads one buffer and writes the other in order, so nothing has to be permuted. */

#include "ernn_spectrum.h"

#include "ernn_lanes.h"

typedef struct spectrum_lanes {
  ernn_lanes re, im;
} spectrum_lanes;

ERNN_INLINE spectrum_lanes spectrum_at(const float *x, uint32_t points, uint32_t at) {
  spectrum_lanes z = {ernn_lanes_at(x + at), ernn_lanes_at(x + points + at)};
  return z;
}

ERNN_INLINE void spectrum_to(float *x, uint32_t points, uint32_t at, spectrum_lanes z) {
  ernn_lanes_to(x + at, z.re);
  ernn_lanes_to(x + points + at, z.im);
}

ERNN_INLINE spectrum_lanes spectrum_add(spectrum_lanes a, spectrum_lanes b) {
  spectrum_lanes z = {ernn_lanes_add(a.re, b.re), ernn_lanes_add(a.im, b.im)};
  return z;
}

ERNN_INLINE spectrum_lanes spectrum_sub(spectrum_lanes a, spectrum_lanes b) {
  spectrum_lanes z = {ernn_lanes_sub(a.re, b.re), ernn_lanes_sub(a.im, b.im)};
  return z;
}

ERNN_LANES_COPY spectrum_lanes spectrum_mul(spectrum_lanes a, spectrum_lanes b) {
  spectrum_lanes z = {ernn_lanes_sub(ernn_lanes_mul(a.re, b.re), ernn_lanes_mul(a.im, b.im)),
                      ernn_lanes_add(ernn_lanes_mul(a.re, b.im), ernn_lanes_mul(a.im, b.re))};
  return z;
}

/* out[j] = sum over m of (-i)^(j m) z[m], in place. */
ERNN_LANES_COPY void spectrum_cross(spectrum_lanes z[4]) {
  spectrum_lanes sum = spectrum_add(z[0], z[2]), difference = spectrum_sub(z[0], z[2]);
  spectrum_lanes others = spectrum_add(z[1], z[3]), other = spectrum_sub(z[1], z[3]);
  z[0] = spectrum_add(sum, others);
  z[2] = spectrum_sub(sum, others);
  z[1].re = ernn_lanes_add(difference.re, other.im);
  z[1].im = ernn_lanes_sub(difference.im, other.re);
  z[3].re = ernn_lanes_sub(difference.re, other.im);
  z[3].im = ernn_lanes_add(difference.im, other.re);
}

/* The first pass: four transforms side by side, their results next to each other. */
static void spectrum_first(const float *x, float *y, uint32_t points, const float *turns) {
  uint32_t quarter = points / 4;
  for (uint32_t p = 0; p < quarter; p += 4) {
    spectrum_lanes z[4];
    for (uint32_t j = 0; j < 4; j++) z[j] = spectrum_at(x, points, p + j * quarter);
    spectrum_cross(z);
    for (uint32_t j = 1; j < 4; j++) {
      const float *turn = turns + (2 * j - 2) * quarter + p;
      spectrum_lanes w = {ernn_lanes_at(turn), ernn_lanes_at(turn + quarter)};
      z[j] = spectrum_mul(z[j], w);
    }
    for (int lane = 0; lane < 4; lane++) {
      spectrum_lanes four = {ernn_lanes_of(ernn_lane(z[0].re, lane), ernn_lane(z[1].re, lane),
                                           ernn_lane(z[2].re, lane), ernn_lane(z[3].re, lane)),
                             ernn_lanes_of(ernn_lane(z[0].im, lane), ernn_lane(z[1].im, lane),
                                           ernn_lane(z[2].im, lane), ernn_lane(z[3].im, lane))};
      spectrum_to(y, points, 4 * (p + (uint32_t)lane), four);
    }
  }
}

/* A later pass: `stride` transforms, a multiple of 4, side by side. */
static void spectrum_pass(const float *x, float *y, uint32_t points, uint32_t stride,
                          const float *turns) {
  uint32_t quarter = points / 4, groups = quarter / stride;
  for (uint32_t q = 0; q < stride; q += 4) { /* the first group: nothing turns */
    spectrum_lanes z[4];
    for (uint32_t j = 0; j < 4; j++) z[j] = spectrum_at(x, points, q + j * quarter);
    spectrum_cross(z);
    for (uint32_t j = 0; j < 4; j++) spectrum_to(y, points, q + j * stride, z[j]);
  }
  for (uint32_t p = 1; p < groups; p++) {
    spectrum_lanes w[4];
    for (uint32_t j = 1; j < 4; j++) {
      const float *turn = turns + (2 * j - 2) * quarter + p * stride;
      w[j].re = ernn_lanes_all(turn[0]);
      w[j].im = ernn_lanes_all(turn[quarter]);
    }
    for (uint32_t q = 0; q < stride; q += 4) {
      spectrum_lanes z[4];
      for (uint32_t j = 0; j < 4; j++) z[j] = spectrum_at(x, points, p * stride + q + j * quarter);
      spectrum_cross(z);
      spectrum_to(y, points, 4 * p * stride + q, z[0]);
      for (uint32_t j = 1; j < 4; j++) {
        spectrum_to(y, points, (4 * p + j) * stride + q, spectrum_mul(z[j], w[j]));
      }
    }
  }
}

static void spectrum_halves(const float *x, float *y, uint32_t points) {
  uint32_t half = points / 2;
  for (uint32_t q = 0; q < half; q += 4) {
    spectrum_lanes a = spectrum_at(x, points, q), b = spectrum_at(x, points, half + q);
    spectrum_to(y, points, q, spectrum_add(a, b));
    spectrum_to(y, points, half + q, spectrum_sub(a, b));
  }
}

/* From the transform z of the pairs to |spectrum|^2 of the samples: with e = (z[k] + conj z[n - k]) / 2
 * and o = (z[k] - conj z[n - k]) / 2i it is e + w^k o at k, and conj(e - w^k o) at n - k. */
static void spectrum_squares(const float *z, float *power, uint32_t points, const float *untangle) {
  const ernn_lanes half = ernn_lanes_all(0.5f);
  uint32_t middle = points / 2;
  power[0] = (z[0] + z[points]) * (z[0] + z[points]);
  power[points] = (z[0] - z[points]) * (z[0] - z[points]);
  for (uint32_t k = 1; k <= middle; k += 4) {
    uint32_t mirror = points - k - 3;
    spectrum_lanes a = spectrum_at(z, points, k), b = spectrum_at(z, points, mirror);
    b.re = ernn_lanes_reversed(b.re);
    b.im = ernn_lanes_reversed(b.im);
    ernn_lanes even_re = ernn_lanes_mul(ernn_lanes_add(a.re, b.re), half);
    ernn_lanes even_im = ernn_lanes_mul(ernn_lanes_sub(a.im, b.im), half);
    ernn_lanes odd_re = ernn_lanes_mul(ernn_lanes_add(a.im, b.im), half);
    ernn_lanes odd_im = ernn_lanes_mul(ernn_lanes_sub(b.re, a.re), half);
    ernn_lanes c = ernn_lanes_at(untangle + k - 1), s = ernn_lanes_at(untangle + middle + k - 1);
    ernn_lanes re = ernn_lanes_add(ernn_lanes_mul(c, odd_re), ernn_lanes_mul(s, odd_im));
    ernn_lanes im = ernn_lanes_sub(ernn_lanes_mul(c, odd_im), ernn_lanes_mul(s, odd_re));
    ernn_lanes low_re = ernn_lanes_add(even_re, re), low_im = ernn_lanes_add(even_im, im);
    ernn_lanes high_re = ernn_lanes_sub(even_re, re), high_im = ernn_lanes_sub(even_im, im);
    ernn_lanes low = ernn_lanes_add(ernn_lanes_mul(low_re, low_re), ernn_lanes_mul(low_im, low_im));
    ernn_lanes high =
        ernn_lanes_add(ernn_lanes_mul(high_re, high_re), ernn_lanes_mul(high_im, high_im));
    ernn_lanes_to(power + mirror, ernn_lanes_reversed(high));
    ernn_lanes_to(power + k, low);
  }
}

float *ernn_power_spectrum(float *samples, float *spare, uint32_t points, const float *turns,
                           const float *untangle) {
  float *from = spare, *to = samples;
  spectrum_first(samples, spare, points, turns);
  uint32_t stride = 4;
  for (; stride * 4 <= points; stride *= 4) {
    spectrum_pass(from, to, points, stride, turns);
    float *last = from;
    from = to;
    to = last;
  }
  if (stride < points) {
    spectrum_halves(from, to, points);
    float *last = from;
    from = to;
    to = last;
  }
  spectrum_squares(from, to, points, untangle);
  return to;
}
