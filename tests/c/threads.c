/* threads: a batch on one thread and on several.
 *
 *     threads model.ernn
 *
 * Prints, for each number of threads, the status of the session, and a hash of the outputs of each of
 * three calls, the last in a forked process; then what the heap gained by the calls.  The model has
 * one input and one output of float32. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ernn.h"

enum { SEQUENCES = 13, MOST_STEPS = 40 };

static _Alignas(ERNN_ALIGNMENT) unsigned char file_bytes[1 << 20];

static uint32_t hash_of(const float *numbers, size_t count) {
  const unsigned char *bytes = (const unsigned char *)numbers;
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < count * sizeof *numbers; i++) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

/* Sequence i has 7 i + 1 steps, up to the most. */
static uint32_t steps_of(uint32_t i) { return 7 * i + 1 < MOST_STEPS ? 7 * i + 1 : MOST_STEPS; }

static uint32_t call(ernn_session *session, const float *x, size_t width, float *out,
                     size_t out_width) {
  ernn_rows inputs[SEQUENCES], outputs[SEQUENCES];
  size_t room = MOST_STEPS * out_width;
  for (size_t i = 0; i < SEQUENCES * room; i++) out[i] = -1.0f;
  for (uint32_t i = 0; i < SEQUENCES; i++) {
    inputs[i].data = (void *)(uintptr_t)(x + i * MOST_STEPS * width);
    inputs[i].steps = steps_of(i);
    outputs[i].data = out + i * room;
    outputs[i].steps = MOST_STEPS;
  }
  ernn_status status = ernn_run_batch(session, SEQUENCES, inputs, outputs);
  return status == ERNN_OK ? hash_of(out, SEQUENCES * room) : (uint32_t)status;
}

int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 1;
  size_t size = fread(file_bytes, 1, sizeof file_bytes, file);
  fclose(file);
  ernn_model model;
  ernn_port in, made;
  if (ernn_open(&model, file_bytes, size) != ERNN_OK) return 1;
  if (ernn_input(&model, 0, &in) != ERNN_OK || ernn_output(&model, 0, &made) != ERNN_OK) return 1;
  float *x = calloc((size_t)SEQUENCES * MOST_STEPS * in.width, sizeof *x);
  float *out = calloc((size_t)SEQUENCES * MOST_STEPS * made.width, sizeof *out);
  for (size_t i = 0; i < (size_t)SEQUENCES * MOST_STEPS * in.width; i++) {
    x[i] = (float)(i * 2654435761u % 2001u) / 1000.0f - 1.0f;
  }
  for (uint32_t threads = 1; threads <= 4; threads++) {
    ernn_options options = {.max_batch = 8, .threads = threads};
    size_t arena_bytes;
    ernn_session *session = NULL;
    ernn_status status = ernn_session_size(&model, &options, &arena_bytes);
    if (status == ERNN_OK) {
      void *arena = aligned_alloc(ERNN_ALIGNMENT, (arena_bytes + 63) & ~(size_t)63);
      status = ernn_session_init(&session, &model, arena, arena_bytes, &options);
      if (status != ERNN_OK) return 1;
      printf("%u %s", threads, ernn_status_text(status));
      fflush(stdout);
      size_t before = mallinfo2().uordblks;
      printf(" %08x", call(session, x, in.width, out, made.width));
      printf(" %08x", call(session, x, in.width, out, made.width));
      size_t gained = mallinfo2().uordblks - before;
      fflush(stdout);
      pid_t child = fork();
      if (child == 0) {
        printf(" %08x", call(session, x, in.width, out, made.width));
        ernn_session_close(session); /* whose threads are not in this process */
        fflush(stdout);
        _exit(0);
      }
      waitpid(child, NULL, 0);
      printf(" %zu\n", gained);
      ernn_session_close(session);
      free(arena);
    } else {
      printf("%u %s\n", threads, ernn_status_text(status));
    }
  }
  ernn_session_close(NULL);
  free(x);
  free(out);
  return 0;
}
