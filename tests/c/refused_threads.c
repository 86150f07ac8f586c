/* refused_threads: a session of four threads where the system starts two of the other three.
 *
 *     refused_threads model.ernn
 *
 * Built with -Dpthread_create=refusing_create -Dpthread_join=counting_join.  Prints the status, and how
 * many of the threads that began are left. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ernn.h"

#undef pthread_create
#undef pthread_join

int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int pthread_join(pthread_t, void **);

static int begun, ended;

int refusing_create(pthread_t *thread, const pthread_attr_t *how, void *(*what)(void *), void *of) {
  if (begun == 2) return 11; /* EAGAIN */
  begun++;
  return pthread_create(thread, how, what, of);
}

int counting_join(pthread_t thread, void **result) {
  ended++;
  return pthread_join(thread, result);
}

static _Alignas(ERNN_ALIGNMENT) unsigned char file_bytes[1 << 20];

int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 1;
  size_t size = fread(file_bytes, 1, sizeof file_bytes, file), arena_bytes;
  fclose(file);
  ernn_model model;
  ernn_session *session = NULL;
  const ernn_options options = {.max_batch = 8, .threads = 4};
  if (ernn_open(&model, file_bytes, size) != ERNN_OK) return 1;
  if (ernn_session_size(&model, &options, &arena_bytes) != ERNN_OK) return 1;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, (arena_bytes + 63) & ~(size_t)63);
  ernn_status status = ernn_session_init(&session, &model, arena, arena_bytes, &options);
  printf("%s: %d of %d left\n", ernn_status_text(status), begun - ended, begun);
  ernn_session_close(session); /* null still */
  free(arena);
  return 0;
}
