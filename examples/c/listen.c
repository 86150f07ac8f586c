/* listen.c: runs a command when a word is heard.
 *
 *     arecord -t raw -f S16_LE -r 16000 | ./listen words.ernn 16000 yes='echo lights on' no='echo lights off'
 *
 * The model is read from a file, so that a new one needs no new program. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"

static int failed(const char *what, const char *why) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  return 1;
}

/* Memory at a multiple of ERNN_ALIGNMENT, for as long as the program runs. */
static void *aligned(size_t size) {
  uint8_t *room = malloc(size + ERNN_ALIGNMENT);
  return room ? room + (ERNN_ALIGNMENT - (uintptr_t)room % ERNN_ALIGNMENT) : NULL;
}

static void *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  long end = -1;
  if (file && fseek(file, 0, SEEK_END) == 0) end = ftell(file);
  void *bytes = end > 0 ? aligned((size_t)end) : NULL;
  *size = 0;
  if (bytes && fseek(file, 0, SEEK_SET) == 0) *size = fread(bytes, 1, (size_t)end, file);
  if (file) fclose(file);
  return *size ? bytes : NULL;
}

/* The command of word=command among the arguments; null where there is none. */
static const char *command_of(const char *label, int count, char **words) {
  size_t length = strlen(label);
  for (int i = 3; i < count; i++) {
    if (strncmp(words[i], label, length) == 0 && words[i][length] == '=') return words[i] + length + 1;
  }
  return NULL;
}

int main(int count, char **words) {
  if (count < 3) return failed("usage", "listen MODEL.ernn RATE [WORD=COMMAND ...] < 16-bit samples");
  size_t size, arena_bytes;
  void *bytes = read_file(words[1], &size);
  if (!bytes) return failed(words[1], "cannot read it");
  ernn_model model;
  ernn_status status = ernn_open(&model, bytes, size);
  if (status != ERNN_OK) return failed(words[1], ernn_status_text(status));
  for (int i = 3; i < count; i++) {
    int known = 0;
    for (uint32_t k = 0; ernn_label(&model, k); k++) {
      size_t length = strlen(ernn_label(&model, k));
      known |= strncmp(words[i], ernn_label(&model, k), length) == 0 && words[i][length] == '=';
    }
    if (!known) return failed(words[i], "the model has no such word; write WORD=COMMAND");
  }

  uint32_t rate = (uint32_t)strtoul(words[2], NULL, 10);
  status = ernn_listener_size(&model, rate, NULL, &arena_bytes);
  if (status != ERNN_OK) return failed("this sound", ernn_status_text(status));
  void *arena = aligned(arena_bytes);
  if (!arena) return failed("memory", "there is not enough");
  ernn_listener *listener;
  status = ernn_listener_init(&listener, &model, rate, NULL, arena, arena_bytes);
  if (status != ERNN_OK) return failed("this sound", ernn_status_text(status));

  int16_t pcm[1600];
  size_t n;
  while ((n = fread(pcm, sizeof *pcm, sizeof pcm / sizeof *pcm, stdin)) > 0) {
    const int16_t *at = pcm;
    while (n > 0) {
      ernn_heard heard;
      int decided;
      size_t used = ernn_listener_feed_s16(listener, at, n, &heard, &decided);
      at += used, n -= used;
      if (!decided && n > 0) return failed("this sound", ernn_status_text(ernn_listener_status(listener)));
      if (!decided) continue;
      const char *label = ernn_label(&model, heard.label);
      printf("%.1f s  %s  %.0f %%\n", heard.seconds, label ? label : "?", 100.0 * (double)heard.score);
      fflush(stdout);
      const char *command = label ? command_of(label, count, words) : NULL;
      if (command && system(command) != 0) fprintf(stderr, "warning: %s failed\n", command);
    }
  }
  return 0;
}
