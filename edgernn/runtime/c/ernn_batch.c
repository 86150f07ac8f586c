/* ernn_batch.c: independent sequences side by side, on one thread or on several. */

#include "ernn_session.h"

/* Sequences [first, end) of the batch, side by side. */
static ernn_status run_sequences(ernn_session *session, const ernn_batch *batch, uint32_t first,
                                 uint32_t end) {
  const ernn_header *header = session->model.header;
  ernn_status status = ERNN_OK;
  session->refused = NULL;
  for (uint32_t done = first; done < end && status == ERNN_OK;) {
    uint32_t left = end - done, lanes = left;
    if (lanes > session->lane_count) lanes = session->lane_count;
    for (uint32_t k = 0; k < lanes; k++) {
      session->lanes[k].inputs = batch->inputs + (size_t)(done + k) * header->input_count;
      session->lanes[k].outputs = batch->outputs + (size_t)(done + k) * header->output_count;
    }
    ernn_clear(session->state, lanes * session->state_bytes);
    status = ernn_run_lanes(session, lanes);
    done += lanes;
  }
  ernn_clear(session->state, session->state_bytes);
  return status;
}

#if ERNN_HAS_THREADS
/* What thread `index` does: neighbours, as many as the others. */
static void run_share(void *of, uint32_t index) {
  ernn_session *first = (ernn_session *)of, *own = first;
  const ernn_batch *batch = &first->batch;
  for (uint32_t i = 0; i < index; i++) own = own->next;
  uint32_t begin = (uint32_t)((uint64_t)batch->count * index / first->threads);
  uint32_t end = (uint32_t)((uint64_t)batch->count * (index + 1) / first->threads);
  own->status = run_sequences(own, batch, begin, end);
}

/* The status and the layer of the first sequence that was refused are those of the call. */
static ernn_status run_threads(ernn_session *session) {
  ernn_status status = ERNN_OK;
  ernn_pool_run(session->pool, run_share, session);
  for (const ernn_session *own = session; own && status == ERNN_OK; own = own->next) {
    status = own->status;
    session->refused = own->refused;
  }
  return status;
}
#endif

ernn_status ernn_run_batch(ernn_session *session, uint32_t count, const ernn_rows *inputs,
                           ernn_rows *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  session->busy = 1;
  const ernn_batch batch = {inputs, outputs, count};
  ernn_status status;
#if ERNN_HAS_THREADS
  if (session->pool && count > 1) {
    session->batch = batch;
    status = run_threads(session);
  } else {
    status = run_sequences(session, &batch, 0, count);
  }
#else
  status = run_sequences(session, &batch, 0, count);
#endif
  session->busy = 0;
  return status;
}
