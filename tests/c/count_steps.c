/* count_steps: runs a model for count_instructions.c: marks, STEPS steps, a mark.
 *
 *     count_steps model.ernn ISA
 *
 * Each input is one row of small numbers, so that states stay in their range. */

#include "../../edgernn/runtime/runner/files.h"
#include "../../edgernn/runtime/runner/text.h"
#include "ernn.h"

enum { STEPS = 64, MOST_PORTS = 4, MOST_ROW = 4096 };

static float inputs[MOST_ROW];
static uint8_t outputs[1 << 20];

int main(int argc, char **argv) {
  bytes file;
  ernn_model model;
  ernn_options options = {.isa = ERNN_ISA_AUTO};
  size_t size;
  ernn_session *session;
  if (argc < 3 || !read_file(argv[1], &file)) return fail("model", "cannot be read");
  while (options.isa < ERNN_ISA_COUNT && !same(argv[2], ernn_isa_name(options.isa))) options.isa++;
  ernn_status status = ernn_open(&model, file.data, file.size);
  if (status == ERNN_OK) status = ernn_session_size(&model, &options, &size);
  if (status != ERNN_OK) return fail(argv[1], ernn_status_text(status));
  void *arena = system_map(-1, size);
  status = ernn_session_init(&session, &model, arena, size, &options);
  if (status != ERNN_OK) return fail(argv[2], ernn_status_text(status));

  const void *from[MOST_PORTS] = {inputs};
  void *to[MOST_PORTS] = {outputs};
  for (int i = 0; i < MOST_ROW; i++) inputs[i] = (float)(i % 17 - 8) * 0.125f;
  ernn_step(session, from, to);
  system_mark();
  for (int step = 0; step < STEPS && status == ERNN_OK; step++) {
    status = ernn_step(session, from, to);
  }
  system_mark();
  return status == ERNN_OK ? 0 : fail(argv[1], ernn_status_text(status));
}
