/* audio_rows.h: all rows that sound gives, for programs that compare processors. */
#ifndef AUDIO_ROWS_H
#define AUDIO_ROWS_H

#include "ernn_audio.h"

/* Feeds `samples` 16-bit samples in pieces of `piece` and of 1 in turn.  memory: for the arena, aligned.
 * Returns the numbers written to `rows`, or 0. */
static size_t audio_rows(const void *record, size_t record_bytes, const int16_t *pcm, size_t samples,
                         uint32_t rate, size_t piece, uint32_t width, void *memory, size_t bytes,
                         float *rows, size_t room) {
  ernn_audio *audio;
  size_t size, written = 0;
  if (ernn_check_sound(record, record_bytes) != ERNN_OK) return 0;
  if (ernn_sound_size(record, rate, &size) != ERNN_OK || size > bytes) return 0;
  if (ernn_sound_init(&audio, record, rate, memory, size) != ERNN_OK) return 0;
  for (size_t at = 0, next = piece; at < samples;) {
    size_t end = at + next < samples ? at + next : samples;
    next = next == 1 ? piece : 1;
    while (at < end) {
      int ready;
      if (written + width > room) return 0;
      at += ernn_audio_feed_s16(audio, pcm + at, end - at, rows + written, &ready);
      if (ready) written += width;
    }
  }
  return written;
}

#endif
