/* ernn_sound.h: the record of a front end for sound in an .ernn file, and what it leads to. */
#ifndef ERNN_SOUND_H
#define ERNN_SOUND_H

#include "ernn_format.h"

/* Sound as rows of numbers: docs/sound.md.  Offsets count bytes from the record's first, are multiples
 * of 16 and lead to float32 numbers; 0: the step is left out. */
typedef struct ernn_sound {
  uint32_t rate;   /* samples a second */
  uint32_t window; /* samples of a frame */
  uint32_t hop;    /* samples from one frame to the next */
  uint32_t lead;   /* samples of the first frame before the first sample, fewer than a window */
  uint32_t fft;    /* a power of two, at least the window */
  uint32_t bins;   /* filters; 0: the spectrum itself, fft / 2 + 1 numbers */
  uint32_t width;  /* numbers in a row */
  uint32_t flags;
  float scale; /* of samples in -1..1 */
  float pre_emphasis;
  float floor, log_add, log_scale, log_shift; /* log_scale * log(max(x, floor) + log_add) + log_shift */
  float pcen_smooth, pcen_gain, pcen_bias, pcen_power, pcen_floor;
  float pcen_start;   /* of the smoothed energies; below 0: the first frame's */
  uint32_t shape;     /* [window, to a multiple of 8] */
  uint32_t turns;     /* re and im of w^p, w^2p, w^3p: [6][fft / 8], w = exp(-2 pi i / (fft / 2)) */
  uint32_t untangle;  /* cos and sin of pi k / (fft / 2), k = 1..fft / 4: [2][fft / 4] */
  uint32_t filters;   /* ernn_sound_filter [bins] */
  uint32_t weights;   /* of the filters, `weight_count` of them */
  uint32_t weight_count;
  uint32_t dct;       /* [width][bins, to a multiple of 4] */
  uint32_t normalize; /* what is added to each number of a row, then what it is multiplied by: [2][width] */
  uint32_t reserved[4]; /* zero */
} ernn_sound;

/* A filter sums weights[start + i] * spectrum[first + i] for i < count, a multiple of 4. */
typedef struct ernn_sound_filter {
  uint32_t first, count, start;
} ernn_sound_filter;

enum {
  ERNN_SOUND_REMOVE_MEAN = 1,  /* of each frame */
  ERNN_SOUND_FRAMEWISE = 2,    /* pre-emphasis begins anew in each frame */
  ERNN_SOUND_MAGNITUDE = 4,    /* of the spectrum, not its square */
  ERNN_SOUND_LOG = 8,
  ERNN_SOUND_PCEN = 16,
  ERNN_SOUND_MIRROR = 32, /* before the first sample is the sound backwards, not zeros */
  ERNN_SOUND_SILENCE = 64, /* a window that is not full yet begins with silence, not with zeros */
  ERNN_SOUND_FLAGS = 127
};

#define AUDIO_LEAST 1.2e-38f /* smaller ones are subnormal */

static inline uint32_t audio_rounded(uint32_t count, uint32_t to) { return (count + to - 1) / to * to; }

static inline const float *audio_table(const ernn_sound *sound, uint32_t offset) {
  return offset == 0 ? NULL : (const float *)(const void *)((const uint8_t *)sound + offset);
}

static inline const ernn_sound_filter *audio_filters(const ernn_sound *sound) {
  return (const ernn_sound_filter *)(const void *)((const uint8_t *)sound + sound->filters);
}

#define AUDIO_MOST_AHEAD 2u

/* Samples behind the first frame that its mirrored beginning needs. */
static inline uint32_t audio_ahead(const ernn_sound *sound) {
  if (!(sound->flags & ERNN_SOUND_MIRROR) || 2 * sound->lead < sound->window) return 0;
  return 2 * sound->lead + 1 - sound->window;
}

/* Numbers in a row before the DCT. */
static inline uint32_t audio_energies(const ernn_sound *sound) {
  return sound->bins == 0 ? sound->width : sound->bins;
}

#endif
