/* ernn_session.c: the order in which a model's layers run, and its states.
 *
 * A causal model runs in chunks of ERNN_CHUNK_STEPS through all its layers, whatever the length of
 * the sequence; its states live in the session.  Any other model runs layer by layer over the
 * whole sequence and starts anew with each call. */

#include "ernn_session.h"
#include "ernn_steps.h"

static void clear_states(ernn_session *session) {
  ernn_clear(session->state, session->state_bytes);
}

ernn_status ernn_reset(ernn_session *session) {
  if (!session) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  clear_states(session);
  return ERNN_OK;
}

const char *ernn_refusing_layer(const ernn_session *session) {
  if (!session || !session->refused) return NULL;
  return (const char *)session->model.bytes + session->refused->name;
}

ernn_isa ernn_session_isa(const ernn_session *session) { return session->kernels->isa; }

/* ---- Running --------------------------------------------------------------------------------- */

/* Ops [first, last) over those of the first `lanes` lanes that have steps; those from `head` on only
 * where a sequence ends. */
static ernn_status run_ops(ernn_session *session, uint32_t lanes, uint32_t last) {
  const ernn_op *ops = ernn_ops(&session->model);
  for (uint32_t i = 0; i < last; i++) {
    const ernn_op *op = ops + i;
    uint32_t count = 0;
    for (uint32_t k = 0; k < lanes; k++) {
      const ernn_session_lane *lane = session->lanes + k;
      if (lane->taken == 0 || (i >= session->head && !lane->is_last)) continue;
      const ernn_context run = {&session->model,
                                op,
                                session->kernels,
                                lane->views,
                                lane->state + session->op_states[i],
                                session->scratch};
      session->contexts[count++] = run;
    }
    if (count == 0) continue;
    ernn_status status = ernn_op_run(session->contexts, count);
    if (status != ERNN_OK) {
      session->refused = op;
      return status;
    }
  }
  return ERNN_OK;
}

static uint32_t output_edge_of(const ernn_session *session, uint32_t index) {
  const ernn_header *header = session->model.header;
  return ernn_ports(&session->model)[header->input_count + index].edge;
}

static const ernn_edge *output_edge(const ernn_session *session, uint32_t index) {
  return ernn_edges(&session->model) + output_edge_of(session, index);
}

/* Copies what the outputs hold now to row `row` of where the caller wants them. */
static void hand_over(const ernn_session *session, const ernn_session_lane *lane, uint32_t row) {
  for (uint32_t i = 0; i < session->model.header->output_count; i++) {
    const ernn_edge *edge = output_edge(session, i);
    const ernn_view *view = lane->views + output_edge_of(session, i);
    const ernn_rows *out = lane->outputs + i;
    if (!out->data || !(edge->is_sequence || lane->is_last)) continue;
    size_t at = edge->is_sequence ? row * row_bytes(edge) : 0;
    ernn_copy((uint8_t *)out->data + at, view->data, view->steps * row_bytes(edge));
  }
}

/* Counts and pointers of a lane's inputs and outputs, before anything runs. */
static ernn_status check_arguments(const ernn_session *session, ernn_session_lane *lane) {
  const ernn_header *header = session->model.header;
  const ernn_edge *edges = ernn_edges(&session->model);
  lane->total = lane->inputs[0].steps;
  for (uint32_t i = 0; i < header->input_count; i++) {
    const ernn_rows *input = lane->inputs + i;
    if (!input->data) {
      if (ernn_ports(&session->model)[i].state == 0) return ERNN_ARGUMENT;
      continue;
    }
    if (input->steps == 0) return ERNN_SHAPE;
    if ((uint64_t)input->steps * edges[i].width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
    if (!edges[i].is_sequence && input->steps != 1) return ERNN_SHAPE;
    if (session->model.causal && input->steps != lane->total) return ERNN_SHAPE;
  }
  return ERNN_OK;
}

/* Refuses an output without room; then sets its number of rows. */
static ernn_status check_room(ernn_rows *output, uint32_t rows) {
  if (output->data && output->steps < rows) return ERNN_CAPACITY;
  output->steps = rows;
  return ERNN_OK;
}

/* What each lane does from step `done` on; whether any has steps left. */
static int begin_chunk(ernn_session *session, uint32_t lanes, uint32_t done) {
  const ernn_header *header = session->model.header;
  const ernn_edge *edges = ernn_edges(&session->model);
  int is_any_left = 0;
  for (uint32_t k = 0; k < lanes; k++) {
    ernn_session_lane *lane = session->lanes + k;
    uint32_t left = lane->total > done ? lane->total - done : 0;
    lane->taken = left < ERNN_CHUNK_STEPS ? left : ERNN_CHUNK_STEPS;
    lane->is_last = lane->taken == left;
    if (left == 0) continue;
    is_any_left = 1;
    for (uint32_t i = 0; i < header->edge_count; i++) {
      lane->views[i].steps = edges[i].is_sequence ? lane->taken : 1;
    }
    for (uint32_t i = 0; i < header->input_count; i++) {
      lane->views[i].data = (uint8_t *)lane->inputs[i].data + done * row_bytes(edges + i);
    }
  }
  return is_any_left;
}

static ernn_status run_causal(ernn_session *session, uint32_t lanes) {
  const ernn_header *header = session->model.header;
  for (uint32_t k = 0; k < lanes; k++) {
    ernn_session_lane *lane = session->lanes + k;
    for (uint32_t i = 0; i < header->output_count; i++) {
      uint32_t rows = output_edge(session, i)->is_sequence ? lane->total : 1;
      ernn_status status = check_room(lane->outputs + i, rows);
      if (status != ERNN_OK) return status;
    }
  }
  for (uint32_t done = 0; begin_chunk(session, lanes, done); done += ERNN_CHUNK_STEPS) {
    ernn_status status = run_ops(session, lanes, header->op_count);
    if (status != ERNN_OK) return status;
    for (uint32_t k = 0; k < lanes; k++) {
      if (session->lanes[k].taken > 0) hand_over(session, session->lanes + k, done);
    }
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
    session->refused = op;
    ernn_status status = ernn_infer_steps(model, op, session->steps, 0);
    if (status != ERNN_OK) return status;
    if (ernn_op_scratch_bytes(model, op, session->steps, session->lane_count) >
        session->scratch_bytes) {
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
  session->refused = NULL;
  return ERNN_OK;
}

/* Steps and inputs of a lane whose layers take the whole sequence. */
static ernn_status begin_whole(ernn_session *session, ernn_session_lane *lane) {
  const ernn_header *header = session->model.header;
  ernn_status status = infer_run(session, lane->inputs);
  if (status != ERNN_OK) return status;
  for (uint32_t i = 0; i < header->edge_count; i++) lane->views[i].steps = session->steps[i];
  for (uint32_t i = 0; i < header->input_count; i++) {
    uint8_t *given = (uint8_t *)lane->inputs[i].data;
    lane->views[i].data = given ? given : lane->state + session->own_states[i];
  }
  for (uint32_t i = 0; i < header->output_count; i++) {
    status = check_room(lane->outputs + i, lane->views[output_edge_of(session, i)].steps);
    if (status != ERNN_OK) return status;
  }
  ernn_clear(lane->state, session->op_state_bytes);
  lane->taken = lane->is_last = 1;
  return ERNN_OK;
}

static ernn_status run_whole(ernn_session *session, uint32_t lanes) {
  const ernn_model *model = &session->model;
  const ernn_header *header = model->header;
  for (uint32_t k = 0; k < lanes; k++) {
    ernn_status status = begin_whole(session, session->lanes + k);
    if (status != ERNN_OK) return status;
  }
  ernn_status status = run_ops(session, lanes, header->op_count);
  if (status != ERNN_OK) return status;
  for (uint32_t k = 0; k < lanes; k++) {
    const ernn_session_lane *lane = session->lanes + k;
    hand_over(session, lane, 0);
    for (uint32_t i = 0; i < header->input_count; i++) {
      uint32_t feeder = ernn_ports(model)[i].state;
      if (feeder == 0) continue;
      size_t bytes = row_bytes(ernn_edges(model) + i) * lane->views[i].steps;
      ernn_copy(lane->state + session->own_states[i],
                lane->views[output_edge_of(session, feeder - 1)].data, bytes);
    }
  }
  return ERNN_OK;
}

ernn_status ernn_run_lanes(ernn_session *session, uint32_t lanes) {
  session->refused = NULL;
  for (uint32_t k = 0; k < lanes; k++) {
    ernn_status status = check_arguments(session, session->lanes + k);
    if (status != ERNN_OK) return status;
  }
  return session->model.causal ? run_causal(session, lanes) : run_whole(session, lanes);
}

/* The stream, with session->inputs and outputs. */
static ernn_status run_session(ernn_session *session) {
  session->lanes->inputs = session->inputs;
  session->lanes->outputs = session->outputs;
  return ernn_run_lanes(session, 1);
}

/* Whether the step that was just taken has a result; counts it.  From the first result on, steps are
 * counted up to the next one. */
static int has_result(ernn_session *session) {
  if (session->every == 0) return 1;
  uint32_t *step = (uint32_t *)(void *)(session->state + session->step_at);
  uint32_t now = *step;
  *step = now + 1 >= session->first + session->every ? session->first : now + 1;
  return now == session->first;
}

/* Whether one of the steps that were just run has a result. */
static int has_results(ernn_session *session) {
  uint32_t steps = session->every && session->model.causal ? session->lanes->total : 1;
  int has_any = 0;
  for (uint32_t step = 0; step < steps; step++) has_any |= has_result(session);
  return has_any;
}

ernn_status ernn_step(ernn_session *session, const void *const *inputs, void *const *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  session->refused = NULL;
  if (!ernn_is_streaming(&session->model)) return ERNN_NOT_STREAMING;
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
  if (status == ERNN_OK && !has_result(session)) status = ERNN_NO_RESULT;
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
  if (status == ERNN_OK && !has_results(session)) status = ERNN_NO_RESULT;
  session->busy = 0;
  return status;
}

ernn_status ernn_output_steps(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs) {
  if (!session || !inputs || !outputs) return ERNN_ARGUMENT;
  if (session->busy) return ERNN_BUSY;
  const ernn_header *header = session->model.header;
  session->refused = NULL;
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
