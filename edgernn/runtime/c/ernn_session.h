/* ernn_session.h: what a session holds.  All of it lies in the arena that the caller provides. */
#ifndef ERNN_SESSION_H
#define ERNN_SESSION_H

#include "ernn_layers.h"
#include "ernn_threads.h"

#define ERNN_MAX_BATCH 4096u /* more share nothing */

/* One of the sequences that run side by side. */
typedef struct ernn_session_lane {
  ernn_view *views; /* per edge */
  uint8_t *state;
  const ernn_rows *inputs; /* of the call at hand */
  ernn_rows *outputs;
  uint32_t total, taken; /* steps of the sequence, and those at work now: 0 when it is over */
  uint32_t is_last;      /* what is at work now is its end */
} ernn_session_lane;

typedef struct ernn_batch {
  const ernn_rows *inputs;
  ernn_rows *outputs;
  uint32_t count;
} ernn_batch;

struct ernn_session {
  ernn_model model;
  const ernn_kernels *kernels;
  uint32_t busy;
  const ernn_op *refused; /* the layer that refused the last call, or null */
  uint32_t head; /* causal models: the first op that runs once a sequence */
  uint32_t lane_count;
  ernn_session_lane *lanes; /* a stream is in the first */
  ernn_context *contexts;   /* per lane, of the layer at work */
  ernn_rows *inputs, *outputs;
  ernn_view *views;     /* per lane and edge */
  uint32_t *steps;      /* per edge */
  uint32_t *op_states;  /* per op: offset in a lane's state */
  uint32_t *own_states; /* per input: offset in a lane's state of what the session feeds it */
  size_t *slot_offsets; /* per slot, and one past the last: offset in a lane's slots */
  uint8_t *slots;
  uint8_t *state;
  uint8_t *scratch;
  uint32_t first, every; /* steps with a result: from the first on each so manieth */
  size_t step_at;        /* offset in a lane's state of which step it is; none where every is 0 */
  size_t op_state_bytes, state_bytes, scratch_bytes; /* states: of a lane */
#if ERNN_HAS_THREADS
  uint32_t threads;
  ernn_pool *pool;    /* null with one thread */
  ernn_session *next; /* that of the next thread, or null */
  ernn_batch batch;   /* which the threads share */
  ernn_status status; /* of this thread's sequences */
#endif
};

/* Runs over the inputs of the first `lanes` lanes, which are set. */
ernn_status ernn_run_lanes(ernn_session *session, uint32_t lanes);

static inline size_t row_bytes(const ernn_edge *edge) {
  return edge->width * ernn_dtype_bytes(edge->dtype);
}

#endif
