/* ernn_sound.h: what a record of the front end for sound leads to. */
#ifndef ERNN_SOUND_H
#define ERNN_SOUND_H

#include "ernn_format.h"

#define AUDIO_LEAST 1.2e-38f /* smaller ones are subnormal */

static inline uint32_t audio_rounded(uint32_t count, uint32_t to) { return (count + to - 1) / to * to; }

static inline const float *audio_table(const ernn_sound *sound, uint32_t offset) {
  return offset == 0 ? NULL : (const float *)(const void *)((const uint8_t *)sound + offset);
}

static inline const ernn_sound_filter *audio_filters(const ernn_sound *sound) {
  return (const ernn_sound_filter *)(const void *)((const uint8_t *)sound + sound->filters);
}

/* Numbers in a row before the DCT. */
static inline uint32_t audio_energies(const ernn_sound *sound) {
  return sound->bins == 0 ? sound->width : sound->bins;
}

#endif
