/* ernn_audio.h: the front end for sound by its record alone, without a model around it.  Training makes
 * features with these two; apps use the functions of ernn.h. */
#ifndef ERNN_AUDIO_H
#define ERNN_AUDIO_H

#include "ernn.h"

/* Checks a record of ERNN_FRONT_END_SOUND and ERNN_SOUND_VERSION.  After ERNN_OK nothing in it can lead
 * outside of its `size` bytes. */
ernn_status ernn_check_sound(const void *record, size_t size);

/* As ernn_audio_size and ernn_audio_init, for a record that ernn_check_sound accepted. */
ernn_status ernn_sound_size(const void *record, uint32_t rate, size_t *bytes);
ernn_status ernn_sound_init(ernn_audio **audio, const void *record, uint32_t rate, void *arena,
                            size_t arena_bytes);

/* Writes the row of silence and returns 1 where windows begin with it; before the first sample only. */
int ernn_audio_silence(ernn_audio *audio, float *row);

/* The record of a model's front end for sound, and its length; null where it has none. */
const void *ernn_sound_record(const ernn_model *model, size_t *bytes);

#endif
