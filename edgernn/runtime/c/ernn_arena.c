/* ernn_arena.c: how much memory a session needs, and where in it each of its parts lies. */

#include "ernn_session.h"
#include "ernn_steps.h"

#define DEFAULT_MAX_STEPS 256u

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

/* Options of a session, with defaults filled in. */
typedef struct settings {
  ernn_isa isa;
  uint32_t max_steps, max_batch, threads; /* max_batch: of a thread */
} settings;

/* `bytes` once for each lane; more than carve gives where that overflows. */
static size_t repeated(size_t bytes, size_t lanes) {
  return bytes > (size_t)-1 / 4 / lanes ? (size_t)-1 : bytes * lanes;
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

/* The session's parts.  `session` may be null: then only arena->used counts.  steps: room for each
 * edge. */
static ernn_status lay_out_with(ernn_session *session, carver *arena, const ernn_model *model,
                                const settings *made_for, uint32_t *steps) {
  const ernn_header *header = model->header;
  ernn_status status = infer_capacity(model, made_for->max_steps, steps);
  if (status != ERNN_OK) return status;

  ernn_session parts;
  const size_t lanes = made_for->max_batch;
  parts.inputs = (ernn_rows *)carve(arena, header->input_count * sizeof(ernn_rows));
  parts.outputs = (ernn_rows *)carve(arena, header->output_count * sizeof(ernn_rows));
  parts.lanes = (ernn_session_lane *)carve(arena, lanes * sizeof(ernn_session_lane));
  parts.contexts = (ernn_context *)carve(arena, lanes * sizeof(ernn_context));
  parts.views = (ernn_view *)carve(arena, lanes * header->edge_count * sizeof(ernn_view));
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
    size_t needed = ernn_op_scratch_bytes(model, op, steps, made_for->max_batch);
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
  parts.every = ernn_result_steps(model, &parts.first);
  parts.step_at = state;
  if (parts.every) state += ERNN_ALIGNMENT;
  parts.state_bytes = state;
  parts.scratch_bytes = scratch;
  parts.slots = (uint8_t *)carve(arena, repeated(slots, lanes));
  parts.state = (uint8_t *)carve(arena, repeated(state, lanes));
  parts.scratch = (uint8_t *)carve(arena, scratch);
  if (arena->overflow) return ERNN_TOO_LARGE;
  if (session) {
    parts.model = *model;
    parts.busy = 0;
    parts.refused = NULL;
    parts.head = header->op_count;
    parts.kernels = session->kernels;
    parts.lane_count = made_for->max_batch;
#if ERNN_HAS_THREADS
    parts.threads = made_for->threads;
    parts.pool = NULL;
    parts.next = NULL;
#endif
    ernn_copy(session, &parts, sizeof parts); /* =: a large structure would call memcpy */
    for (size_t i = 0; i < lanes; i++) {
      ernn_session_lane *lane = session->lanes + i;
      lane->views = session->views + i * header->edge_count;
      lane->state = session->state + i * state;
      for (uint32_t k = header->input_count; k < header->edge_count; k++) {
        uint32_t slot = ernn_edges(model)[k].slot;
        lane->views[k].data = session->slots + i * slots + session->slot_offsets[slot];
      }
    }
  }
  return ERNN_OK;
}

/* Small models are laid out with little stack. */
enum { FEW_EDGES = 64 };

ERNN_NOINLINE static ernn_status lay_out_few(ernn_session *session, carver *arena,
                                             const ernn_model *model, const settings *made_for) {
  uint32_t steps[FEW_EDGES];
  return lay_out_with(session, arena, model, made_for, steps);
}

ERNN_NOINLINE static ernn_status lay_out_many(ernn_session *session, carver *arena,
                                              const ernn_model *model, const settings *made_for) {
  uint32_t steps[ERNN_MAX_RECORDS];
  return lay_out_with(session, arena, model, made_for, steps);
}

static ernn_status lay_out(ernn_session *session, carver *arena, const ernn_model *model,
                           const settings *made_for) {
  int has_few = model->header->edge_count <= FEW_EDGES;
  return (has_few ? lay_out_few : lay_out_many)(session, arena, model, made_for);
}

static ernn_status checked_options(const ernn_options *options, settings *made_for) {
  made_for->max_steps = options && options->max_steps ? options->max_steps : DEFAULT_MAX_STEPS;
  made_for->max_batch = options && options->max_batch ? options->max_batch : 1;
  made_for->isa = options ? options->isa : ERNN_ISA_AUTO;
  if (made_for->max_steps > ERNN_MAX_STEPS) return ERNN_TOO_LARGE;
  if (made_for->max_batch > ERNN_MAX_BATCH) return ERNN_TOO_LARGE;
  made_for->threads = options && options->threads ? options->threads : 1;
  if (made_for->threads > 1 && !ERNN_HAS_THREADS) return ERNN_NO_THREADS;
  if (made_for->threads > ERNN_MAX_THREADS) return ERNN_TOO_LARGE;
#if ERNN_HAS_THREADS
  made_for->max_batch = (made_for->max_batch + made_for->threads - 1) / made_for->threads;
#endif
  if (made_for->isa == ERNN_ISA_AUTO) made_for->isa = ernn_isa_best();
  return ernn_isa_available(made_for->isa) ? ERNN_OK : ERNN_ISA;
}

ernn_status ernn_session_size(const ernn_model *model, const ernn_options *options,
                              size_t *bytes) {
  settings made_for;
  if (!model || !bytes) return ERNN_ARGUMENT;
  ernn_status status = checked_options(options, &made_for);
  if (status != ERNN_OK) return status;
  carver arena = {NULL, 0, 0};
  const uint32_t threads = ERNN_HAS_THREADS ? made_for.threads : 1;
  for (uint32_t i = 0; i < threads && status == ERNN_OK; i++) {
    carve(&arena, sizeof(ernn_session));
    status = lay_out(NULL, &arena, model, &made_for);
  }
#if ERNN_HAS_THREADS
  if (made_for.threads > 1) carve(&arena, ernn_pool_bytes(made_for.threads));
#endif
  *bytes = arena.used;
  return status == ERNN_OK && arena.overflow ? ERNN_TOO_LARGE : status;
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

  settings made_for;
  checked_options(options, &made_for);
  ernn_clear(arena, needed);
  carver parts = {(uint8_t *)arena, 0, 0};
  ernn_session *first = NULL;
#if ERNN_HAS_THREADS
  ernn_session **link = &first;
#else
  ernn_session **const link = &first;
#endif
  const uint32_t threads = ERNN_HAS_THREADS ? made_for.threads : 1;
  for (uint32_t i = 0; i < threads; i++) {
    ernn_session *made = (ernn_session *)carve(&parts, sizeof(ernn_session));
    made->kernels = ernn_kernels_by_isa[made_for.isa];
    status = lay_out(made, &parts, model, &made_for);
    if (status != ERNN_OK) return status;
    for (uint32_t k = model->header->op_count; model->causal && k-- > 0;) {
      if (!takes_sequence(model, ernn_ops(model) + k)) made->head = k;
    }
    *link = made;
#if ERNN_HAS_THREADS
    link = &made->next;
#endif
  }
#if ERNN_HAS_THREADS
  if (made_for.threads > 1) {
    void *pool = carve(&parts, ernn_pool_bytes(made_for.threads));
    status = ernn_pool_start(&first->pool, pool, made_for.threads);
    if (status != ERNN_OK) return status;
  }
#endif
  *session = first;
  return ERNN_OK;
}

void ernn_session_close(ernn_session *session) {
#if ERNN_HAS_THREADS
  if (session && session->pool) ernn_pool_stop(session->pool);
#else
  (void)session;
#endif
}
