/* listen.c: listen MODEL RATE THRESHOLD SMOOTH PAUSE EVERY PIECE: 16-bit samples from standard input, fed
 * in pieces; a line for each label, then the answer for the whole sound. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"

static uint8_t bytes[1 << 20] __attribute__((aligned(64)));
static uint8_t arena[1 << 20] __attribute__((aligned(64)));
static int16_t pcm[1 << 20];

static int failed(ernn_status status) {
  printf("%s\n", ernn_status_text(status));
  return 0;
}

static void show(const ernn_heard *heard) {
  printf("%.9g %u %.9g\n", heard->seconds, heard->label, (double)heard->score);
}

int main(int count, char **words) {
  if (count != 8) return 2;
  FILE *file = fopen(words[1], "rb");
  if (!file) return 2;
  size_t size = fread(bytes, 1, sizeof bytes, file), needed, piece = (size_t)atoi(words[7]);
  uint32_t rate = (uint32_t)atoi(words[2]);
  ernn_listening deciding = {(float)atof(words[3]), (uint32_t)atoi(words[4]), (float)atof(words[5]),
                             (float)atof(words[6])};
  ernn_model model;
  ernn_listener *listener;
  ernn_heard heard;
  ernn_status status = ernn_open(&model, bytes, size);
  if (status == ERNN_OK) status = ernn_listener_size(&model, rate, &deciding, &needed);
  if (status != ERNN_OK) return failed(status);
  if (needed > sizeof arena) return 2;
  memset(arena, 0xA5, sizeof arena); /* memory is not zero everywhere */
  if (ernn_listener_init(&listener, &model, rate, &deciding, arena + 8, needed) != ERNN_MISALIGNED) return 3;
  if (ernn_listener_init(&listener, &model, rate, &deciding, arena, needed - 1) != ERNN_ARENA) return 4;
  if (ernn_listener_init(NULL, &model, rate, &deciding, arena, needed) != ERNN_ARGUMENT) return 5;
  status = ernn_listener_init(&listener, &model, rate, &deciding, arena, needed);
  if (status != ERNN_OK) return failed(status);
  if (ernn_listener_whole(listener, &heard) != ERNN_TOO_SHORT) return 6;
  size_t n = fread(pcm, sizeof *pcm, sizeof pcm / sizeof *pcm, stdin);
  for (size_t at = 0; at < n;) {
    int decided;
    size_t now = n - at < piece ? n - at : piece;
    size_t used = ernn_listener_feed_s16(listener, pcm + at, now, &heard, &decided);
    if (decided) show(&heard);
    else if (used < now) return failed(ernn_listener_status(listener));
    at += used;
  }
  status = ernn_listener_whole(listener, &heard);
  if (status != ERNN_OK) return failed(status);
  show(&heard);
  int decided;
  ernn_listener_feed_s16(listener, NULL, 4, &heard, &decided);
  if (ernn_listener_status(listener) != ERNN_ARGUMENT) return 7;
  if (ernn_listener_reset(listener) != ERNN_OK || ernn_listener_status(listener) != ERNN_OK) return 8;
  return 0;
}
