/* ernn_session.h: what a session holds.  All of it lies in the arena that the caller provides. */
#ifndef ERNN_SESSION_H
#define ERNN_SESSION_H

#include "ernn_internal.h"

struct ernn_session {
  ernn_model model;
  const ernn_kernels *kernels;
  uint32_t busy;
  uint32_t head; /* causal models: the first op that runs once a sequence */
  ernn_rows *inputs, *outputs;
  ernn_view *views;     /* per edge */
  uint32_t *steps;      /* per edge */
  uint32_t *op_states;  /* per op: offset in `state` */
  uint32_t *own_states; /* per input: offset in `state` of what the session feeds it */
  size_t *slot_offsets; /* per slot, and one past the last: offset in `slots` */
  uint8_t *slots;
  uint8_t *state;
  uint8_t *scratch;
  size_t op_state_bytes, state_bytes, scratch_bytes;
};

static inline size_t row_bytes(const ernn_edge *edge) {
  return edge->width * ernn_dtype_bytes(edge->dtype);
}

#endif
