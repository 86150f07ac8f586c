/* bad_input: what the C kit of a model of sound answers to wrong input, a line for each.  With the
 * program of pthreads, since two threads meet in one listener. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"
#include "words_ernn.h"

static ernn_model model;
static int is_over;

static void show(const char *name, ernn_status status) { printf("%s: %s\n", name, ernn_status_text(status)); }

static void *room(size_t bytes) { return aligned_alloc(ERNN_ALIGNMENT, (bytes + 63) / 64 * 64); }

static void *feed_on(void *listener) {
  static int16_t minute[60 * 8000];
  while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
    ernn_heard heard;
    int decided;
    ernn_listener_feed_s16(listener, minute, sizeof minute / sizeof *minute, &heard, &decided);
  }
  return NULL;
}

static void of_arrays(void) {
  ernn_session *session;
  size_t bytes;
  float row[64] = {0};
  const void *none[1] = {NULL};
  void *wanted[1] = {row};
  ernn_rows nothing = {NULL, 1}, scores = {row, 1};
  ernn_session_size(&model, NULL, &bytes);
  char *arena = room(bytes + 64);
  show("misaligned arena", ernn_session_init(&session, &model, arena + 4, bytes, NULL));
  show("small arena", ernn_session_init(&session, &model, arena, bytes - 1, NULL));
  show("null arena", ernn_session_init(&session, &model, NULL, bytes, NULL));
  ernn_session_init(&session, &model, arena, bytes, NULL);
  show("null arrays of a step", ernn_step(session, NULL, wanted));
  show("null row", ernn_step(session, none, wanted));
  show("null arrays of a run", ernn_run(session, NULL, &scores));
  show("null rows", ernn_run(session, &nothing, &scores));
  show("null session", ernn_reset(NULL));
}

static void of_sound(void) {
  ernn_listener *listener;
  ernn_heard heard;
  size_t bytes;
  int decided;
  float loud[2] = {0, 3000};
  pthread_t other;
  show("low rate", ernn_listener_size(&model, 4000, NULL, &bytes));
  ernn_listener_size(&model, 8000, NULL, &bytes);
  ernn_listener_init(&listener, &model, 8000, NULL, room(bytes), bytes);
  show("no sound yet", ernn_listener_whole(listener, &heard));
  ernn_listener_feed_s16(listener, NULL, 3, &heard, &decided);
  show("null sound", ernn_listener_status(listener));
  ernn_listener_reset(listener);
  ernn_listener_feed_f32(listener, loud, 2, &heard, &decided);
  show("too loud", ernn_listener_status(listener));
  ernn_listener_reset(listener);
  pthread_create(&other, NULL, feed_on, listener);
  while (ernn_listener_status(listener) != ERNN_BUSY) {}
  show("two threads", ernn_listener_status(listener));
  __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
  pthread_join(other, NULL);
}

int main(void) {
  static _Alignas(ERNN_ALIGNMENT) char tflite[256] = "\x1c\0\0\0TFL3";
  char *moved = room(sizeof words_ernn + 64);
  memcpy(moved + 4, words_ernn, sizeof words_ernn);
  show("null model", ernn_open(NULL, words_ernn, sizeof words_ernn));
  show("null bytes", ernn_open(&model, NULL, sizeof words_ernn));
  show("misaligned bytes", ernn_open(&model, moved + 4, sizeof words_ernn));
  show("a .tflite", ernn_open(&model, tflite, sizeof tflite));
  show("half a file", ernn_open(&model, words_ernn, sizeof words_ernn / 2));
  if (ernn_open(&model, words_ernn, sizeof words_ernn) != ERNN_OK) return 1;
  of_arrays();
  of_sound();
  return 0;
}
