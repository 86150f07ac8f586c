/* ernn_resample.c: a windowed sinc for each phase between the samples (Kaiser's window), computed where
 * it is used: a file would need one table for each rate of a microphone. */

#include "ernn_resample.h"

#include "ernn_lanes.h"
#include "ernn_math.h"

#define RESAMPLE_CROSSINGS 24.0f /* zeros of the sinc on either side */
#define RESAMPLE_CUTOFF 0.92f    /* of the lower Nyquist frequency: -6 dB there, -80 dB from 1.03 on */
#define RESAMPLE_BETA 8.0f
#define RESAMPLE_HIGHEST_RATE 768000u
#define RESAMPLE_MOST_NUMBERS (1u << 16)

static uint32_t resample_common(uint32_t a, uint32_t b) {
  while (b != 0) {
    uint32_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* sin(pi x) to 3e-7, for |x| up to thousands. */
static float resample_sin_pi(float x) {
  const float shifter = 12582912.0f; /* adding it rounds to the nearest integer */
  float nearest = (x + shifter) - shifter;
  float r = (x - nearest) * 3.14159265f, square = r * r;
  ernn_bits count;
  count.value = x + shifter;
  float p = -2.3889859e-8f;
  p = p * square + 2.7525562e-6f;
  p = p * square + -1.9840874e-4f;
  p = p * square + 8.3333310e-3f;
  p = p * square + -1.6666667e-1f;
  p = p * square * r + r;
  return count.bits & 1 ? -p : p;
}

/* The modified Bessel function of order 0: all terms are positive. */
static float resample_bessel(float x) {
  float term = 1.0f, sum = 1.0f;
  for (int k = 1; k < 28; k++) {
    float factor = x / (2.0f * (float)k);
    term *= factor * factor;
    sum += term;
  }
  return sum;
}

int ernn_resampler_plan(ernn_resampler *resampler, uint32_t rate, uint32_t wanted) {
  if (wanted == 0 || rate < wanted || rate > RESAMPLE_HIGHEST_RATE) return 0;
  uint32_t common = resample_common(rate, wanted);
  uint32_t phases = wanted / common, step = rate / common;
  float reach = RESAMPLE_CROSSINGS / RESAMPLE_CUTOFF * ((float)step / (float)phases);
  if (phases > 1024 || reach > 4096.0f) return 0;
  uint32_t half = ((uint32_t)reach + 2u) & ~1u; /* taps are a multiple of 4 */
  if (2 * half * phases > RESAMPLE_MOST_NUMBERS) return 0;
  ernn_resampler planned = {NULL, NULL, 2 * half, phases, step, 0, 0, half + 1};
  *resampler = planned;
  return 1;
}

size_t ernn_resampler_floats(const ernn_resampler *resampler) {
  return (size_t)resampler->taps * (2 + resampler->phases);
}

void ernn_resampler_fill(ernn_resampler *resampler, float *memory) {
  uint32_t taps = resampler->taps, half = taps / 2;
  resampler->history = memory;
  resampler->filters = memory + 2 * taps;
  float cutoff = RESAMPLE_CUTOFF * (float)resampler->phases / (float)resampler->step;
  float reach = RESAMPLE_CROSSINGS / cutoff;
  for (uint32_t phase = 0; phase < resampler->phases; phase++) {
    float *filter = resampler->filters + (size_t)phase * taps;
    float sum = 0.0f, after = (float)phase / (float)resampler->phases;
    for (uint32_t i = 0; i < taps; i++) {
      float t = (float)((int32_t)i - (int32_t)half + 1) - after; /* from the wanted time */
      float place = t / reach, inside = 1.0f - place * place;
      float angle = t * cutoff;
      float sinc = angle > -1e-3f && angle < 1e-3f
                       ? 1.0f
                       : resample_sin_pi(angle) / (angle * 3.14159265f);
      filter[i] =
          inside > 0.0f ? sinc * resample_bessel(RESAMPLE_BETA * ernn_sqrt(inside)) : 0.0f;
      sum += filter[i];
    }
    for (uint32_t i = 0; i < taps; i++) filter[i] /= sum;
  }
  ernn_resampler_reset(resampler);
}

void ernn_resampler_reset(ernn_resampler *resampler) {
  for (uint32_t i = 0; i < 2 * resampler->taps; i++) resampler->history[i] = 0.0f;
  resampler->phase = 0;
  resampler->newest = 0;
  resampler->wait = resampler->taps / 2 + 1;
}

int ernn_resampler_push(ernn_resampler *resampler, float sample, float *out) {
  uint32_t taps = resampler->taps;
  resampler->history[resampler->newest] = sample;
  resampler->history[resampler->newest + taps] = sample;
  resampler->newest = resampler->newest + 1 == taps ? 0 : resampler->newest + 1;
  if (--resampler->wait > 0) return 0;
  const float *filter = resampler->filters + (size_t)resampler->phase * taps;
  *out = ernn_lanes_dot(resampler->history + resampler->newest, filter, taps);
  resampler->phase += resampler->step;
  resampler->wait = resampler->phase / resampler->phases;
  resampler->phase %= resampler->phases;
  return 1;
}
