/* ernn_resample.h: sound of one rate to a lower one, sample by sample. */
#ifndef ERNN_RESAMPLE_H
#define ERNN_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct ernn_resampler {
  float *history; /* [2 * taps]: each sample twice, so that the last `taps` ones are in one piece */
  float *filters; /* [phases][taps] */
  uint32_t taps, phases, step;
  uint32_t phase, newest, wait;
} ernn_resampler;

/* Describes the filter from `rate` to `wanted` samples a second, without memory; 0 where there is none. */
int ernn_resampler_plan(ernn_resampler *resampler, uint32_t rate, uint32_t wanted);

/* Floats that the plan needs: history and filters. */
size_t ernn_resampler_floats(const ernn_resampler *resampler);

/* Computes the filters of a plan in `memory`, and resets it. */
void ernn_resampler_fill(ernn_resampler *resampler, float *memory);

void ernn_resampler_reset(ernn_resampler *resampler);

/* Takes a sample; 1 when it completes a sample of the lower rate, *out.  The first of these belongs to
 * the time of the first sample: nothing is delayed, it only comes half a filter later. */
int ernn_resampler_push(ernn_resampler *resampler, float sample, float *out);

#endif
