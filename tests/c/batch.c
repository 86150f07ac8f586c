/* batch.c: see batch.h. */

#include "batch.h"

#include "ernn_internal.h"

enum { MOST_PORTS = 16, MOST_CASES = 16, LANES = 3 };

typedef struct reader {
  const uint8_t *bytes;
  size_t at, size;
} reader;

static uint32_t next_word(reader *from) {
  if (from->size - from->at < 4) {
    from->at = from->size;
    return 0;
  }
  const uint8_t *word = from->bytes + from->at;
  from->at += 4;
  return (uint32_t)word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 |
         (uint32_t)word[3] << 24;
}

/* `size` bytes; null when there are fewer. */
static const uint8_t *next_bytes(reader *from, size_t size) {
  if (size > from->size - from->at) return NULL;
  const uint8_t *bytes = from->bytes + from->at;
  from->at += size;
  return bytes;
}

static void align(reader *from, size_t to) {
  size_t at = (from->at + to - 1) / to * to;
  from->at = at < from->size ? at : from->size;
}

typedef struct results {
  uint32_t *words;
  size_t used, room;
} results;

static void add(results *to, uint32_t word) {
  if (to->used < to->room) to->words[to->used] = word;
  to->used++;
}

static size_t row_size(const ernn_port *port) {
  return port->width * (port->dtype == ERNN_BOOL ? (size_t)1 : (size_t)4);
}

/* The inputs of a case.  Each is copied to memory of its own, so that a reader beyond its end is
 * found by whoever watches memory. */
static int read_case(reader *from, const ernn_model *model, ernn_rows *inputs) {
  for (uint32_t i = 0; i < ernn_input_count(model); i++) {
    ernn_port port;
    ernn_input(model, i, &port);
    inputs[i].steps = next_word(from);
    size_t size = inputs[i].steps * row_size(&port);
    if (size == 0) continue;
    const uint8_t *rows = next_bytes(from, size);
    inputs[i].data = rows ? batch_allocate(size) : NULL;
    if (!inputs[i].data) return 0;
    ernn_copy(inputs[i].data, rows, size);
    align(from, 4);
  }
  return 1;
}

static ernn_status step_through(ernn_session *session, const ernn_model *model,
                                const ernn_rows *inputs, ernn_rows *outputs) {
  ernn_status status = ERNN_OK;
  for (uint32_t step = 0; step < inputs[0].steps && status == ERNN_OK; step++) {
    const void *from[MOST_PORTS];
    void *to[MOST_PORTS];
    ernn_port port;
    for (uint32_t i = 0; i < ernn_input_count(model); i++) {
      ernn_input(model, i, &port);
      from[i] = (const uint8_t *)inputs[i].data + step * row_size(&port);
    }
    for (uint32_t i = 0; i < ernn_output_count(model); i++) {
      ernn_output(model, i, &port);
      to[i] = (uint8_t *)outputs[i].data + (port.is_sequence ? step * row_size(&port) : 0);
    }
    status = ernn_step(session, from, to);
  }
  return status;
}

/* The library's CRC-32 is of one block: the number of rows stands in front of them. */
static uint32_t checksum(const ernn_rows *rows, size_t size) {
  uint8_t *block = (uint8_t *)batch_allocate(4 + size);
  if (!block) return 0;
  ernn_copy(block, &rows->steps, 4);
  ernn_copy(block + 4, rows->data, size);
  uint32_t crc = ernn_crc32(block, 4 + size);
  batch_free(block);
  return crc;
}

static ernn_status make_outputs(ernn_session *session, const ernn_model *model,
                                const ernn_rows *inputs, ernn_rows *outputs) {
  ernn_status status = ernn_output_steps(session, inputs, outputs);
  for (uint32_t i = 0; i < ernn_output_count(model) && status == ERNN_OK; i++) {
    ernn_port port;
    ernn_output(model, i, &port);
    outputs[i].data = batch_allocate(outputs[i].steps * row_size(&port));
    if (!outputs[i].data) status = ERNN_TOO_LARGE;
  }
  return status;
}

static void add_outputs(const ernn_model *model, ernn_status status, ernn_rows *outputs,
                        results *to) {
  if (status != ERNN_OK) add(to, (uint32_t)status);
  for (uint32_t i = 0; i < ernn_output_count(model); i++) {
    ernn_port port;
    ernn_output(model, i, &port);
    if (status == ERNN_OK) add(to, checksum(outputs + i, outputs[i].steps * row_size(&port)));
    batch_free(outputs[i].data);
  }
}

static void run_case(ernn_session *session, const ernn_model *model, ernn_rows *inputs,
                     int by_steps, results *to) {
  ernn_rows outputs[MOST_PORTS] = {{NULL, 0}};
  ernn_status status = make_outputs(session, model, inputs, outputs);
  if (status == ERNN_OK) {
    ernn_reset(session);
    status = by_steps ? step_through(session, model, inputs, outputs)
                      : ernn_run(session, inputs, outputs);
  }
  add_outputs(model, status, outputs, to);
}

static ernn_status run_alone(ernn_session *session, const ernn_model *model, reader *cases,
                             uint32_t count, int by_steps, results *to) {
  ernn_status status = ERNN_OK;
  for (uint32_t i = 0; i < count && status == ERNN_OK; i++) {
    ernn_rows inputs[MOST_PORTS] = {{NULL, 0}};
    int is_stepped = by_steps && model->causal; /* a state begins at zero only there */
    if (read_case(cases, model, inputs)) {
      run_case(session, model, inputs, is_stepped, to);
    } else {
      status = ERNN_SHAPE;
    }
    for (uint32_t k = 0; k < MOST_PORTS; k++) batch_free(inputs[k].data);
  }
  return status;
}

/* All cases in one call: groups of LANES, the last one with what is left. */
static ernn_status run_together(ernn_session *session, const ernn_model *model, reader *cases,
                                uint32_t count, results *to) {
  static ernn_rows inputs[MOST_CASES * MOST_PORTS], outputs[MOST_CASES * MOST_PORTS];
  uint32_t in = ernn_input_count(model), out = ernn_output_count(model);
  ernn_status status = count <= MOST_CASES ? ERNN_OK : ERNN_ARGUMENT;
  ernn_clear(inputs, sizeof inputs);
  ernn_clear(outputs, sizeof outputs);
  for (uint32_t i = 0; i < count && status == ERNN_OK; i++) {
    if (!read_case(cases, model, inputs + i * in)) status = ERNN_SHAPE;
    if (status == ERNN_OK) {
      status = make_outputs(session, model, inputs + i * in, outputs + i * out);
    }
  }
  if (status == ERNN_OK) status = ernn_run_batch(session, count, inputs, outputs);
  for (uint32_t i = 0; i < count && count <= MOST_CASES; i++) {
    add_outputs(model, status, outputs + i * out, to);
    for (uint32_t k = 0; k < in; k++) batch_free(inputs[i * in + k].data);
  }
  return ERNN_OK;
}

static ernn_status run_model(const ernn_model *model, reader *cases, uint32_t count,
                             const ernn_options *options, batch_mode mode, results *to) {
  size_t size;
  ernn_session *session;
  if (ernn_input_count(model) > MOST_PORTS || ernn_output_count(model) > MOST_PORTS) {
    return ERNN_ARGUMENT;
  }
  ernn_status status = ernn_session_size(model, options, &size);
  void *arena = status == ERNN_OK ? batch_allocate(size) : NULL;
  if (!arena) return status == ERNN_OK ? ERNN_TOO_LARGE : status;
  status = ernn_session_init(&session, model, arena, size, options);
  if (status == ERNN_OK && mode == BATCH_TOGETHER) {
    status = run_together(session, model, cases, count, to);
  } else if (status == ERNN_OK) {
    status = run_alone(session, model, cases, count, mode == BATCH_STEP, to);
  }
  batch_free(arena);
  return status;
}

size_t batch_run(const uint8_t *file, size_t size, ernn_isa isa, batch_mode mode, uint32_t *result,
                 size_t room) {
  reader all = {file, 0, size};
  results to = {result, 0, room};
  ernn_options options = {.isa = isa, .max_batch = mode == BATCH_TOGETHER ? LANES : 1};
  uint32_t models = next_word(&all);
  for (uint32_t i = 0; i < models; i++) {
    align(&all, ERNN_ALIGNMENT);
    uint32_t model_bytes = next_word(&all), count = next_word(&all), case_bytes = next_word(&all);
    align(&all, ERNN_ALIGNMENT);
    const uint8_t *bytes = next_bytes(&all, model_bytes);
    align(&all, ERNN_ALIGNMENT);
    reader cases = {next_bytes(&all, case_bytes), 0, case_bytes};
    if (!bytes || !cases.bytes) return 0;
    uint8_t *copy = (uint8_t *)batch_allocate(model_bytes);
    if (!copy) return 0;
    ernn_copy(copy, bytes, model_bytes);
    ernn_model model;
    ernn_status status = ernn_open(&model, copy, model_bytes);
    add(&to, (uint32_t)status);
    if (status == ERNN_OK) {
      status = run_model(&model, &cases, count, &options, mode, &to);
      if (status != ERNN_OK) add(&to, (uint32_t)status);
    }
    batch_free(copy);
  }
  return to.used <= to.room ? to.used : 0;
}
