/* example.c: labels of sound.  16-bit samples of one channel come from standard input:
 *
 *     arecord -t raw -f S16_LE -r 16000 | ./example 16000
 *
 * The model is an array in the program.  A program that reads @MODEL@.ernn from a file needs memory at a
 * multiple of 64 for it, as aligned() gives. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ernn.h"
#include "@MODEL@_ernn.h"

static int failed(ernn_status status) {
  fprintf(stderr, "error: %s\n", ernn_status_text(status));
  return 1;
}

/* Memory at a multiple of ERNN_ALIGNMENT. */
static void *aligned(size_t size) {
  uint8_t *room = malloc(size + ERNN_ALIGNMENT);
  return room ? room + (ERNN_ALIGNMENT - (uintptr_t)room % ERNN_ALIGNMENT) : NULL;
}

static void show(const ernn_model *model, const ernn_heard *heard, const char *note) {
  const char *label = ernn_label(model, heard->label);
  if (label) printf("%8.2f s  %s  %.0f %%%s\n", heard->seconds, label, 100.0 * (double)heard->score, note);
  else printf("%8.2f s  class %u  %.0f %%%s\n", heard->seconds, heard->label, 100.0 * (double)heard->score, note);
  fflush(stdout);
}

int main(int count, char **words) {
  ernn_model model;
  ernn_status status = ernn_open(&model, @MODEL@_ernn, sizeof @MODEL@_ernn);
  if (status != ERNN_OK) return failed(status);

  uint32_t rate = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : ernn_audio_rate(&model);
  size_t bytes;
  status = ernn_listener_size(&model, rate, NULL, &bytes);
  if (status != ERNN_OK) return failed(status);

  void *arena = aligned(bytes);
  ernn_listener *listener;
  if (!arena) return failed(ERNN_TOO_LARGE);
  status = ernn_listener_init(&listener, &model, rate, NULL, arena, bytes);
  if (status != ERNN_OK) return failed(status);

  int16_t pcm[1600];
  size_t n;
  while ((n = fread(pcm, sizeof *pcm, sizeof pcm / sizeof *pcm, stdin)) > 0) {
    const int16_t *at = pcm;
    while (n > 0) {
      ernn_heard heard;
      int decided;
      size_t used = ernn_listener_feed_s16(listener, at, n, &heard, &decided);
      if (decided) show(&model, &heard, "");
      else if (used < n) return failed(ernn_listener_status(listener));
      at += used, n -= used;
    }
  }
  ernn_heard heard;
  status = ernn_listener_whole(listener, &heard);
  if (status != ERNN_OK) return failed(status);
  show(&model, &heard, "  at the end");
  return 0;
}
