/* smallest_app.c: all that a program calls to step a model, for the size of the library. */

#include "ernn.h"

extern const unsigned char model_bytes[];
extern const size_t model_size;
extern unsigned char arena[];
extern const size_t arena_size;

int start(const float *row, float *scores);

int start(const float *row, float *scores) {
  static ernn_model model;
  static ernn_session *session;
  const void *inputs[1];
  void *outputs[1];
  if (!session) {
    ernn_status status = ernn_open(&model, model_bytes, model_size);
    if (status == ERNN_OK) status = ernn_session_init(&session, &model, arena, arena_size, NULL);
    if (status != ERNN_OK) return (int)status;
  }
  inputs[0] = row;
  outputs[0] = scores;
  return (int)ernn_step(session, inputs, outputs);
}
