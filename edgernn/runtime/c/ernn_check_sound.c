/* ernn_check_sound.c: checks a record of the front end for sound, before anything follows its offsets. */

#include "ernn_audio.h"
#include "ernn_sound.h"

#define AUDIO_MOST_FFT 8192u
#define AUDIO_HIGHEST_RATE 768000u

static int audio_is_inside(uint32_t offset, uint32_t count, uint32_t each, size_t size) {
  return offset % 16 == 0 && offset >= sizeof(ernn_sound) && offset <= size &&
         (size_t)count * each <= size - offset;
}

/* A table of numbers of at most this magnitude: then no sum of a row is infinite or NaN. */
static int audio_is_table(const ernn_sound *sound, uint32_t offset, uint32_t count, float most,
                          size_t size) {
  if (!audio_is_inside(offset, count, sizeof(float), size)) return 0;
  const float *table = audio_table(sound, offset);
  for (uint32_t i = 0; i < count; i++) {
    if (!(table[i] >= -most && table[i] <= most)) return 0;
  }
  return 1;
}

static int audio_is_number(float x, float least, float most) { return x >= least && x <= most; }

/* Logarithms are of numbers above 0. */
static int audio_has_numbers(const ernn_sound *sound) {
  int has_log = (sound->flags & ERNN_SOUND_LOG) != 0, has_pcen = (sound->flags & ERNN_SOUND_PCEN) != 0;
  return audio_is_number(sound->scale, -1e5f, 1e5f) &&
         audio_is_number(sound->pre_emphasis, -1.0f, 1.0f) &&
         (!has_log || (audio_is_number(sound->floor, 0.0f, 1e30f) &&
                       audio_is_number(sound->log_add, 0.0f, 1e30f) &&
                       sound->floor + sound->log_add >= AUDIO_LEAST &&
                       audio_is_number(sound->log_scale, -1e4f, 1e4f) &&
                       audio_is_number(sound->log_shift, -1e6f, 1e6f))) &&
         (!has_pcen || (audio_is_number(sound->pcen_smooth, 0.0f, 1.0f) &&
                        audio_is_number(sound->pcen_gain, 0.0f, 1.0f) &&
                        audio_is_number(sound->pcen_bias, AUDIO_LEAST, 1e4f) &&
                        audio_is_number(sound->pcen_power, 0.0f, 1.0f) &&
                        audio_is_number(sound->pcen_floor, AUDIO_LEAST, 1e4f) &&
                        audio_is_number(sound->pcen_start, -1.0f, 1e6f)));
}

static int audio_has_filters(const ernn_sound *sound, size_t size) {
  uint32_t spectrum = sound->fft / 2 + 1;
  if (sound->bins == 0) return sound->dct == 0;
  if (sound->weight_count > AUDIO_MOST_FFT * 16 ||
      !audio_is_inside(sound->filters, sound->bins, sizeof(ernn_sound_filter), size) ||
      !audio_is_table(sound, sound->weights, sound->weight_count, 1e4f, size)) {
    return 0;
  }
  for (uint32_t i = 0; i < sound->bins; i++) {
    const ernn_sound_filter *filter = audio_filters(sound) + i;
    if (filter->count % 4 != 0 || filter->first > spectrum ||
        filter->count > audio_rounded(spectrum, 4) - filter->first ||
        filter->start > sound->weight_count ||
        filter->count > sound->weight_count - filter->start) {
      return 0;
    }
  }
  uint32_t row = audio_rounded(sound->bins, 4);
  return sound->dct == 0 ? sound->width == sound->bins
                         : audio_is_table(sound, sound->dct, sound->width * row, 1e4f, size);
}

ernn_status ernn_check_sound(const void *record, size_t size) {
  const ernn_sound *sound = (const ernn_sound *)record;
  if (size < sizeof *sound) return ERNN_BAD_OFFSET;
  for (size_t i = 0; i < sizeof sound->reserved / sizeof *sound->reserved; i++) {
    if (sound->reserved[i] != 0) return ERNN_FRONT_END;
  }
  if (sound->flags & ~(uint32_t)ERNN_SOUND_FLAGS) return ERNN_FRONT_END;
  uint32_t fft = sound->fft;
  if (sound->rate == 0 || sound->rate > AUDIO_HIGHEST_RATE || fft < 32 || fft > AUDIO_MOST_FFT || (fft & (fft - 1)) != 0 ||
      sound->window == 0 || sound->window > fft || sound->hop == 0 || sound->hop > (1u << 20) ||
      sound->lead >= sound->window || sound->bins > fft || sound->width == 0 || sound->width > fft ||
      (sound->bins == 0 && sound->width != fft / 2 + 1)) {
    return ERNN_BAD_MODEL;
  }
  if (audio_ahead(sound) > AUDIO_MOST_AHEAD || sound->hop <= audio_ahead(sound)) return ERNN_BAD_MODEL;
  if (!audio_has_numbers(sound)) return ERNN_BAD_MODEL;
  if (!audio_is_table(sound, sound->shape, audio_rounded(sound->window, 8), 1e4f, size) ||
      !audio_is_table(sound, sound->turns, fft / 8 * 6, 1.0f, size) ||
      !audio_is_table(sound, sound->untangle, fft / 2, 1.0f, size) ||
      (sound->normalize != 0 &&
       !audio_is_table(sound, sound->normalize, 2 * sound->width, 1e9f, size)) ||
      !audio_has_filters(sound, size)) {
    return ERNN_BAD_OFFSET;
  }
  return ERNN_OK;
}
