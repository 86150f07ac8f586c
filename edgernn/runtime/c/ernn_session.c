/* ernn_session.c: memory of a session, and the order in which a model's layers run.
 *
 * A causal model runs in chunks of ERNN_CHUNK_STEPS through all its layers, whatever the length of
 * the sequence; its states live in the session.  Any other model runs layer by layer over the
 * whole sequence and starts anew with each call. */

#include "ernn_internal.h"

#define DEFAULT_MAX_STEPS 256u

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

/* ---- Memory ---------------------------------------------------------------------------------- */

static size_t row_bytes(const ernn_edge *edge) {
  return edge->width * ernn_dtype_bytes(edge->dtype);
}

/* Most steps that each edge can have at a time. */
static ernn_status infer_capacity(const ernn_model *model, uint32_t max_steps, uint32_t *steps) {
  const ernn_header *header = model->header;
  const ernn_edge *edges = ernn_edges(model);
  if (model->causal) {
    for (uint32_t i = 0; i < header->edge_count; i++) {
      steps[i] = edges[i].is_sequence ? ERNN_CHUNK_STEPS : 1;
    }
    return ERNN_OK;
  }
  for (uint32_t i = 0; i < header->input_count; i++) {
    uint32_t most = edges[i].steps ? edges[i].steps : max_steps;
    steps[i] = edges[i].is_sequence ? most : 1;
    if ((uint64_t)steps[i] * edges[i].width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
  }
  for (uint32_t i = 0; i < header->op_count; i++) {
    ernn_status status = ernn_infer_steps(model, ernn_ops(model) + i, steps, 1);
    if (status != ERNN_OK) return status;
  }
  return ERNN_OK;
}

/* Hands out parts of an arena; with a null base it only adds up. */
typedef struct carver {
  uint8_t *base;
  size_t used;
  int overflow;
} carver;

static void *carve(carver *arena, size_t bytes) {
  size_t at = arena->used, limit = (size_t)-1 / 4;
  if (bytes > limit || at > limit) {
    arena->overflow = 1;
    return NULL;
  }
  arena->used = at + ernn_aligned(bytes);
  return arena->base ? arena->base + at : NULL;
}

static size_t slot_bytes(const ernn_model *model, uint32_t slot, const uint32_t *steps) {
  size_t most = 0;
  for (uint32_t i = model->header->input_count; i < model->header->edge_count; i++) {
    const ernn_edge *edge = ernn_edges(model) + i;
    size_t bytes = row_bytes(edge) * steps[i];
    if (edge->slot == slot && bytes > most) most = bytes;
  }
  return ernn_aligned(most);
}

/* The session's parts.  `session` may be null: then only arena->used counts. */
static ernn_status lay_out(ernn_session *session, carver *arena, const ernn_model *model,
                           uint32_t max_steps) {
  const ernn_header *header = model->header;
  uint32_t steps[ERNN_MAX_RECORDS];
  ernn_status status = infer_capacity(model, max_steps, steps);
  if (status != ERNN_OK) return status;

  ernn_session parts;
  parts.inputs = (ernn_rows *)carve(arena, header->input_count * sizeof(ernn_rows));
  parts.outputs = (ernn_rows *)carve(arena, header->output_count * sizeof(ernn_rows));
  parts.views = (ernn_view *)carve(arena, header->edge_count * sizeof(ernn_view));
  parts.steps = (uint32_t *)carve(arena, header->edge_count * sizeof(uint32_t));
  parts.op_states = (uint32_t *)carve(arena, header->op_count * sizeof(uint32_t));
  parts.own_states = (uint32_t *)carve(arena, header->input_count * sizeof(uint32_t));
  parts.slot_offsets = (size_t *)carve(arena, (header->slot_count + 1) * sizeof(size_t));

  size_t slots = 0, state = 0, scratch = 0;
  for (uint32_t i = 0; i < header->slot_count; i++) {
    if (session) parts.slot_offsets[i] = slots;
    slots += slot_bytes(model, i, steps);
    if (slots > (size_t)-1 / 8) return ERNN_TOO_LARGE;
  }
  if (session) parts.slot_offsets[header->slot_count] = slots;
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    size_t needed = ernn_op_scratch_bytes(model, op, steps);
    if (needed > scratch) scratch = needed;
    if (session) parts.op_states[i] = (uint32_t)state;
    state += ernn_aligned(ernn_op_state_bytes(model, op));
    if (state > UINT32_MAX / 2) return ERNN_TOO_LARGE;
  }
  parts.op_state_bytes = state;
  for (uint32_t i = 0; i < header->input_count; i++) {
    if (session) parts.own_states[i] = (uint32_t)state;
    if (ernn_ports(model)[i].state == 0) continue;
    state += ernn_aligned(row_bytes(ernn_edges(model) + i) * steps[i]);
    if (state > UINT32_MAX / 2) return ERNN_TOO_LARGE;
  }
  parts.state_bytes = state;
  parts.scratch_bytes = scratch;
  parts.slots = (uint8_t *)carve(arena, slots);
  parts.state = (uint8_t *)carve(arena, state);
  parts.scratch = (uint8_t *)carve(arena, scratch);
  if (arena->overflow) return ERNN_TOO_LARGE;
  if (session) {
    parts.model = *model;
    parts.busy = 0;
    parts.head = header->op_count;
    parts.kernels = session->kernels;
    *session = parts;
  }
  return ERNN_OK;
}

static ernn_status checked_options(const ernn_options *options, uint32_t *max_steps,
                                   ernn_isa *isa) {
  *max_steps = options && options->max_steps ? options->max_steps : DEFAULT_MAX_STEPS;
  *isa = options ? options->isa : ERNN_ISA_AUTO;
  if (*max_steps > ERNN_MAX_STEPS) return ERNN_TOO_LARGE;
  if (*isa == ERNN_ISA_AUTO) *isa = ernn_isa_best();
  return ernn_isa_available(*isa) ? ERNN_OK : ERNN_ISA;
}

ernn_status ernn_session_size(const ernn_model *model, const ernn_options *options,
                              size_t *bytes) {
  uint32_t max_steps;
  ernn_isa isa;
  if (!model || !bytes) return ERNN_ARGUMENT;
  ernn_status status = checked_options(options, &max_steps, &isa);
  if (status != ERNN_OK) return status;
  carver arena = {NULL, ernn_aligned(sizeof(ernn_session)), 0};
  status = lay_out(NULL, &arena, model, max_steps);
  *bytes = arena.used;
  return status;
}

static int takes_sequence(const ernn_model *model, const ernn_op *op) {
  for (uint32_t i = 0; i < ERNN_OP_INPUTS; i++) {
    if (op->inputs[i] != ERNN_NONE && ernn_edges(model)[op->inputs[i]].is_sequence) return 1;
  }
  return 0;
}

ernn_status ernn_session_init(ernn_session **session, const ernn_model *model, void *arena,
                              size_t arena_bytes, const ernn_options *options) {
  size_t needed;
  if (!session || !arena) return ERNN_ARGUMENT;
  ernn_status status = ernn_session_size(model, options, &needed);
  if (status != ERNN_OK) return status;
  if ((uintptr_t)arena % ERNN_ALIGNMENT != 0) return ERNN_MISALIGNED;
  if (arena_bytes < needed) return ERNN_ARENA;

  uint32_t max_steps;
  ernn_isa isa;
  checked_options(options, &max_steps, &isa);
  ernn_clear(arena, needed);
  ernn_session *made = (ernn_session *)arena;
  made->kernels = ernn_kernels_by_isa[isa];
  carver parts = {(uint8_t *)arena, ernn_aligned(sizeof(ernn_session)), 0};
  status = lay_out(made, &parts, model, max_steps);
  if (status != ERNN_OK) return status;
  const ernn_edge *edges = ernn_edges(model);
  for (uint32_t i = model->header->input_count; i < model->header->edge_count; i++) {
    made->views[i].data = made->slots + made->slot_offsets[edges[i].slot];
  }
  for (uint32_t i = model->header->op_count; model->causal && i-- > 0;) {
    if (!takes_sequence(model, ernn_ops(model) + i)) made->head = i;
  }
  *session = made;
  return ERNN_OK;
}

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
  for (uint32_t i = 0; i < session->model.header->input_count; i++) {
    /* A state may have several rows; any other input of a streaming model has one. */
    uint32_t fixed = edges[i].is_sequence ? edges[i].steps : 1;
    int is_state = ernn_ports(&session->model)[i].state != 0;
    session->inputs[i].data = (void *)(uintptr_t)inputs[i]; /* inputs are only read */
    session->inputs[i].steps = is_state ? fixed : 1;
  }
  for (uint32_t i = 0; i < session->model.header->output_count; i++) {
    session->outputs[i].data = outputs[i];
    session->outputs[i].steps = ERNN_MAX_STEPS;
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
  if (size < ernn_state_size(session)) return ERNN_CAPACITY;
  saved_header header = {session->model.header->crc32, (uint32_t)session->state_bytes};
  ernn_copy(bytes, &header, sizeof header);
  ernn_copy((uint8_t *)bytes + sizeof header, session->state, session->state_bytes);
  return ERNN_OK;
}

ernn_status ernn_state_restore(ernn_session *session, const void *bytes, size_t size) {
  saved_header header;
  if (!session || !bytes) return ERNN_ARGUMENT;
  if (size != ernn_state_size(session)) return ERNN_STATE;
  ernn_copy(&header, bytes, sizeof header);
  if (header.model_crc32 != session->model.header->crc32 ||
      header.state_bytes != session->state_bytes) {
    return ERNN_STATE;
  }
  ernn_copy(session->state, (const uint8_t *)bytes + sizeof header, session->state_bytes);
  return ERNN_OK;
}
