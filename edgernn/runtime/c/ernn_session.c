/* ernn_session.c: the order in which a model's layers run, and its states.
 *
 * A causal model runs in chunks of ERNN_CHUNK_STEPS through all its layers, whatever the length of
 * the sequence; its states live in the session.  Any other model runs layer by layer over the
 * whole sequence and starts anew with each call. */

#include "ernn_session.h"
#include "ernn_steps.h"

void ernn_reset(ernn_session *session) { ernn_clear(session->state, session->state_bytes); }

ernn_isa ernn_session_isa(const ernn_session *session) { return session->kernels->isa; }

/* ---- Running --------------------------------------------------------------------------------- */

static ernn_status run_ops(ernn_session *session, uint32_t first, uint32_t last) {
  const ernn_op *ops = ernn_ops(&session->model);
  for (uint32_t i = first; i < last; i++) {
    ernn_status status =
        ernn_op_run(&session->model, ops + i, session->kernels, session->views,
                    session->state + session->op_states[i], session->scratch);
    if (status != ERNN_OK) return status;
  }
  return ERNN_OK;
}

static const ernn_edge *output_edge(const ernn_session *session, uint32_t index) {
  const ernn_header *header = session->model.header;
  return ernn_edges(&session->model) + ernn_ports(&session->model)[header->input_count + index].edge;
}

static const ernn_view *output_view(const ernn_session *session, uint32_t index) {
  const ernn_header *header = session->model.header;
  return session->views + ernn_ports(&session->model)[header->input_count + index].edge;
}

/* Copies what the outputs hold now to row `row` of where the caller wants them. */
static void hand_over(ernn_session *session, uint32_t row, int is_last) {
  for (uint32_t i = 0; i < session->model.header->output_count; i++) {
    const ernn_edge *edge = output_edge(session, i);
    const ernn_view *view = output_view(session, i);
    ernn_rows *out = session->outputs + i;
    if (!out->data || !(edge->is_sequence || is_last)) continue;
    size_t at = edge->is_sequence ? row * row_bytes(edge) : 0;
    ernn_copy((uint8_t *)out->data + at, view->data, view->steps * row_bytes(edge));
  }
}

/* Counts and pointers of session->inputs and outputs, before anything runs. */
static ernn_status check_arguments(const ernn_session *session, uint32_t *total) {
  const ernn_header *header = session->model.header;
  const ernn_edge *edges = ernn_edges(&session->model);
  *total = session->inputs[0].steps;
  for (uint32_t i = 0; i < header->input_count; i++) {
    const ernn_rows *input = session->inputs + i;
    if (!input->data) {
      if (ernn_ports(&session->model)[i].state == 0) return ERNN_ARGUMENT;
      continue;
    }
    if (input->steps == 0) return ERNN_SHAPE;
    if ((uint64_t)input->steps * edges[i].width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
    if (!edges[i].is_sequence && input->steps != 1) return ERNN_SHAPE;
    if (session->model.causal && input->steps != *total) return ERNN_SHAPE;
  }
  return ERNN_OK;
}

static ernn_status run_causal(ernn_session *session, uint32_t total) {
  const ernn_header *header = session->model.header;
  const ernn_edge *edges = ernn_edges(&session->model);
  for (uint32_t i = 0; i < header->output_count; i++) {
    uint32_t rows = output_edge(session, i)->is_sequence ? total : 1;
    if (session->outputs[i].data && session->outputs[i].steps < rows) return ERNN_CAPACITY;
    session->outputs[i].steps = rows;
  }
  for (uint32_t done = 0; done < total;) {
    uint32_t left = total - done, taken = left < ERNN_CHUNK_STEPS ? left : ERNN_CHUNK_STEPS;
    for (uint32_t i = 0; i < header->edge_count; i++) {
      session->views[i].steps = edges[i].is_sequence ? taken : 1;
    }
    for (uint32_t i = 0; i < header->input_count; i++) {
      session->views[i].data = (uint8_t *)session->inputs[i].data + done * row_bytes(edges + i);
    }
    int is_last = taken == left;
    ernn_status status = run_ops(session, 0, is_last ? header->op_count : session->head);
    if (status != ERNN_OK) return status;
    hand_over(session, done, is_last);
    done += taken;
  }
  return ERNN_OK;
}

/* Steps of every edge for the inputs given; ERNN_TOO_LONG where the session has no room. */
static ernn_status infer_run(ernn_session *session, const ernn_rows *inputs) {
  const ernn_model *model = &session->model;
  const ernn_edge *edges = ernn_edges(model);
  for (uint32_t i = 0; i < model->header->input_count; i++) {
    uint32_t fixed = edges[i].is_sequence ? edges[i].steps : 1;
    session->steps[i] = inputs[i].steps ? inputs[i].steps : fixed;
    if (session->steps[i] == 0 || session->steps[i] > ERNN_MAX_STEPS) return ERNN_SHAPE;
    if (fixed && session->steps[i] != fixed) return ERNN_SHAPE;
  }
  for (uint32_t i = 0; i < model->header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    ernn_status status = ernn_infer_steps(model, op, session->steps, 0);
    if (status != ERNN_OK) return status;
    if (ernn_op_scratch_bytes(model, op, session->steps) > session->scratch_bytes) {
      return ERNN_TOO_LONG;
    }
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      uint32_t edge = op->outputs[k];
      if (edge == ERNN_NONE) continue;
      size_t room = session->slot_offsets[edges[edge].slot + 1] -
                    session->slot_offsets[edges[edge].slot];
      if (session->steps[edge] * row_bytes(edges + edge) > room) return ERNN_TOO_LONG;
    }
  }
  return ERNN_OK;
}

static ernn_status run_whole(ernn_session *session) {
  const ernn_model *model = &session->model;
  const ernn_header *header = model->header;
  ernn_status status = infer_run(session, session->inputs);
  if (status != ERNN_OK) return status;
  for (uint32_t i = 0; i < header->edge_count; i++) session->views[i].steps = session->steps[i];
  for (uint32_t i = 0; i < header->input_count; i++) {
    uint8_t *given = (uint8_t *)session->inputs[i].data;
    session->views[i].data = given ? given : session->state + session->own_states[i];
  }
  for (uint32_t i = 0; i < header->output_count; i++) {
    uint32_t rows = output_view(session, i)->steps;
    if (session->outputs[i].data && session->outputs[i].steps < rows) return ERNN_CAPACITY;
    session->outputs[i].steps = rows;
  }
  ernn_clear(session->state, session->op_state_bytes);
  status = run_ops(session, 0, header->op_count);
  if (status != ERNN_OK) return status;
  hand_over(session, 0, 1);
  for (uint32_t i = 0; i < header->input_count; i++) {
    uint32_t feeder = ernn_ports(model)[i].state;
    if (feeder == 0) continue;
    size_t bytes = row_bytes(ernn_edges(model) + i) * session->steps[i];
    ernn_copy(session->state + session->own_states[i], output_view(session, feeder - 1)->data,
              bytes);
  }
  return ERNN_OK;
}

static ernn_status run_session(ernn_session *session) {
  uint32_t total;
  ernn_status status = check_arguments(session, &total);
  if (status != ERNN_OK) return status;
  return session->model.causal ? run_causal(session, total) : run_whole(session);
}

ernn_status ernn_step(ernn_session *session, const void *const *inputs, void *const *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (!ernn_is_streaming(&session->model)) return ERNN_NOT_STREAMING;
  if (session->busy) return ERNN_BUSY;
  session->busy = 1;
  const ernn_edge *edges = ernn_edges(&session->model);
  /* The caller has room for one row of every output, and for all rows of a state. */
  for (uint32_t i = 0; i < session->model.header->output_count; i++) {
    session->outputs[i].data = outputs[i];
    session->outputs[i].steps = 1;
  }
  for (uint32_t i = 0; i < session->model.header->input_count; i++) {
    /* A state may have several rows; any other input of a streaming model has one. */
    uint32_t fixed = edges[i].is_sequence ? edges[i].steps : 1;
    int is_state = ernn_ports(&session->model)[i].state != 0;
    session->inputs[i].data = (void *)(uintptr_t)inputs[i]; /* inputs are only read */
    session->inputs[i].steps = is_state ? fixed : 1;
    if (is_state) session->outputs[ernn_ports(&session->model)[i].state - 1].steps = fixed;
  }
  ernn_status status = run_session(session);
  session->busy = 0;
  return status;
}

ernn_status ernn_run(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  session->busy = 1;
  const ernn_header *header = session->model.header;
  for (uint32_t i = 0; i < header->input_count; i++) session->inputs[i] = inputs[i];
  for (uint32_t i = 0; i < header->output_count; i++) session->outputs[i] = outputs[i];
  ernn_status status = run_session(session);
  for (uint32_t i = 0; i < header->output_count && status == ERNN_OK; i++) {
    outputs[i].steps = session->outputs[i].steps;
  }
  session->busy = 0;
  return status;
}

ernn_status ernn_output_steps(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  const ernn_header *header = session->model.header;
  if (!session->model.causal) {
    ernn_status status = infer_run(session, inputs);
    if (status != ERNN_OK) return status;
  }
  for (uint32_t i = 0; i < header->output_count; i++) {
    uint32_t edge = ernn_ports(&session->model)[header->input_count + i].edge;
    int is_sequence = ernn_edges(&session->model)[edge].is_sequence;
    uint32_t causal_steps = is_sequence ? inputs[0].steps : 1;
    outputs[i].steps = session->model.causal ? causal_steps : session->steps[edge];
  }
  return ERNN_OK;
}

/* ---- States ---------------------------------------------------------------------------------- */

/* Before the bytes: which model they belong to. */
typedef struct saved_header {
  uint32_t model_crc32;
  uint32_t state_bytes;
} saved_header;

size_t ernn_state_size(const ernn_session *session) {
  return sizeof(saved_header) + session->state_bytes;
}

ernn_status ernn_state_save(const ernn_session *session, void *bytes, size_t size) {
  if (!session || !bytes) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  if (size < ernn_state_size(session)) return ERNN_CAPACITY;
  saved_header header = {session->model.header->crc32, (uint32_t)session->state_bytes};
  ernn_copy(bytes, &header, sizeof header);
  ernn_copy((uint8_t *)bytes + sizeof header, session->state, session->state_bytes);
  return ERNN_OK;
}

ernn_status ernn_state_restore(ernn_session *session, const void *bytes, size_t size) {
  saved_header header;
  if (!session || !bytes) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  if (size != ernn_state_size(session)) return ERNN_STATE;
  ernn_copy(&header, bytes, sizeof header);
  if (header.model_crc32 != session->model.header->crc32 ||
      header.state_bytes != session->state_bytes) {
    return ERNN_STATE;
  }
  ernn_copy(session->state, (const uint8_t *)bytes + sizeof header, session->state_bytes);
  return ERNN_OK;
}
