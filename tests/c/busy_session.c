/* busy_session: what the calls of a session answer while another call is at work on it.
 *
 *     busy_session model.ernn
 *
 * The flag is set by hand: no race decides what is printed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"
#include "ernn_session.h"

static _Alignas(ERNN_ALIGNMENT) unsigned char file_bytes[1 << 20];

int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 1;
  size_t size = fread(file_bytes, 1, sizeof file_bytes, file);
  ernn_model model;
  size_t arena_bytes;
  ernn_session *session;
  if (ernn_open(&model, file_bytes, size) != ERNN_OK) return 1;
  if (ernn_session_size(&model, NULL, &arena_bytes) != ERNN_OK) return 1;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, (arena_bytes + ERNN_ALIGNMENT) & ~(size_t)63);
  if (ernn_session_init(&session, &model, arena, arena_bytes, NULL) != ERNN_OK) return 1;
  size_t saved_bytes = ernn_state_size(session);
  void *saved = malloc(saved_bytes);
  for (uint32_t busy = 0; busy < 2; busy++) {
    session->busy = busy;
    printf("%s\n", ernn_status_text(ernn_state_save(session, saved, saved_bytes)));
    printf("%s\n", ernn_status_text(ernn_state_restore(session, saved, saved_bytes)));
    memset(session->state, 1, session->state_bytes);
    printf("%s\n", ernn_status_text(ernn_reset(session)));
    printf("%s\n", session->state[0] == 0 ? "zero" : "kept");
  }
  free(saved);
  free(arena);
  return 0;
}
