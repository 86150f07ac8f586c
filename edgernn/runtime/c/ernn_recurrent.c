/* ernn_recurrent.c: GRU, LSTM and simple RNN over sequences: chunks of steps, masks, states.
 *
 * The input's product is computed for a chunk of steps at once; ernn_cells.c computes the steps. */

#include "ernn_cells.h"

/* Steps of each lane that are projected together: as many as fill ERNN_CHUNK_STEPS rows twice, so
 * that more lanes need little more memory. */
static uint32_t chunk_steps(uint32_t lanes) {
  if (lanes == 1) return ERNN_CHUNK_STEPS;
  return lanes < 2 * ERNN_CHUNK_STEPS ? 2 * ERNN_CHUNK_STEPS / lanes : 1;
}

ernn_rnn_parts ernn_rnn_scratch(const ernn_op *op, uint32_t steps, uint32_t width, uint32_t units,
                                uint32_t columns, uint32_t lanes) {
  size_t element = is_integer_op(op) ? sizeof(int16_t) : sizeof(float);
  size_t vectors = ernn_aligned((size_t)lanes * ernn_padded(units) * element);
  uint32_t chunk = chunk_steps(lanes);
  size_t rows = (size_t)lanes * (steps < chunk ? steps : chunk);
  ernn_rnn_parts parts = {0, 0, 0, 0, 0, 0, 0, 0, 0};
  if (is_integer_op(op) || lanes > 1) {
    parts.projected = ernn_aligned(rows * quad_padded(width) * element);
  }
  parts.product = parts.projected + ernn_aligned(rows * columns * element);
  parts.reset = parts.product + ernn_aligned((size_t)lanes * columns * element);
  parts.candidate = parts.reset + vectors;
  parts.fed = parts.candidate + ernn_aligned(ernn_padded(units) * element);
  parts.quantized = parts.fed + (is_integer_op(op) ? vectors : ernn_quantized_bytes(lanes, units));
  parts.lanes = parts.quantized;
  if (!is_integer_op(op)) parts.lanes += ernn_quantized_bytes((uint32_t)rows, width);
  parts.bytes = parts.lanes + ernn_aligned(lanes * sizeof(ernn_cell_lane));
  return parts;
}

/* The float32 value of a cell's unit: 2^(e - 15). */
static float cell_unit(const ernn_cells *cells, uint32_t unit) {
  const ernn_cell *constants = (const ernn_cell *)ernn_constant_data(
      cells->run->model, cells->run->op->arguments[ERNN_QRNN_CELL]);
  int32_t exponent = constants[unit / ERNN_TILE].exponent[ERNN_LANE(unit % ERNN_TILE)];
  return ernn_float_of((uint32_t)(exponent - 15 + 127) << 23);
}

/* States that are inputs of the layer; otherwise they are those of the last call. */
static void load_states(const ernn_cells *cells, const ernn_context *run, uint32_t number) {
  const float *h = input_f32(run, 2), *c = input_f32(run, 3);
  const ernn_cell_lane *lane = cells->lanes + number;
  size_t vector = cells->units * sizeof(float);
  if (!is_integer_op(run->op)) {
    if (h) ernn_copy(lane->h, h, vector);
    if (c) ernn_copy(lane->c, c, vector);
    return;
  }
  uint32_t reading[4] = {16, 0, 32767, 1}; /* as a state */
  if (h) ernn_read_row(run->kernels, reading, h, cells->units, cells->padded, lane->h);
  for (uint32_t i = 0; i < cells->units && c; i++) {
    float scaled = c[i] / cell_unit(cells, i) * (1.0f / 32768.0f); /* powers of two: exact */
    ernn_read_row(run->kernels, reading, &scaled, 1, 1, as_s16(lane->c) + i);
  }
  ernn_feed_state(cells, number);
}

static void write_h(const ernn_cells *cells, const ernn_cell_lane *lane, float *out) {
  if (is_integer_op(cells->run->op)) {
    const int16_t *h = as_s16(lane->h);
    for (uint32_t i = 0; i < cells->units; i++) out[i] = (float)h[i] * (1.0f / 32768.0f);
  } else {
    ernn_copy(out, lane->h, cells->units * sizeof(float));
  }
}

static void write_c(const ernn_cells *cells, const ernn_cell_lane *lane, float *out) {
  if (is_integer_op(cells->run->op)) {
    const int16_t *c = as_s16(lane->c);
    for (uint32_t i = 0; i < cells->units; i++) out[i] = (float)c[i] * cell_unit(cells, i);
  } else {
    ernn_copy(out, lane->c, cells->units * sizeof(float));
  }
}

/* The output at a step, or after the last: h, the previous h where masked, zeros before that. */
static void write_output(const ernn_cells *cells, const ernn_cell_lane *lane, float *out) {
  int zero_masked = (rnn_flags(cells->run->op) & ERNN_RNN_ZERO_MASKED) != 0;
  if (!lane->state->seen || (lane->state->skipped && zero_masked)) {
    ernn_clear(out, cells->units * sizeof(float));
  } else {
    write_h(cells, lane, out);
  }
}

static ernn_cell_lane lane_of(const ernn_context *run, uint32_t padded) {
  uint8_t *h = run->state + sizeof(ernn_rnn_state);
  size_t element = is_integer_op(run->op) ? sizeof(int16_t) : sizeof(float);
  ernn_cell_lane lane = {
      .state = (ernn_rnn_state *)(void *)run->state,
      .h = h,
      .c = h + padded * element,
      .x = input_f32(run, 0),
      .mask = input_mask(run, 1),
      .out = output_f32(run, 0),
      .steps = input_steps(run, 0),
  };
  return lane;
}

/* Sets what each lane does in the chunk that begins at `start`; returns the most steps. */
static uint32_t begin_cells(ernn_cells *cells, uint32_t start, uint32_t chunk) {
  int is_backwards = (rnn_flags(cells->run->op) & ERNN_RNN_BACKWARDS) != 0;
  uint32_t most = 0;
  for (uint32_t i = 0; i < cells->count; i++) {
    ernn_cell_lane *lane = cells->lanes + i;
    uint32_t left = lane->steps > start ? lane->steps - start : 0;
    lane->rows = left < chunk ? left : chunk;
    lane->first = is_backwards ? left - lane->rows : start;
    if (lane->rows == 0) lane->first = 0;
    most = lane->rows > most ? lane->rows : most;
  }
  return most;
}

/* Which lanes take part in step `turn` of the chunk: those that go on and are not masked there. */
static void begin_step(ernn_cells *cells, uint32_t turn) {
  int is_backwards = (rnn_flags(cells->run->op) & ERNN_RNN_BACKWARDS) != 0;
  cells->live = 0;
  for (uint32_t i = 0; i < cells->count; i++) {
    ernn_cell_lane *lane = cells->lanes + i;
    lane->is_live = 0;
    if (turn >= lane->rows) continue;
    uint32_t step = lane->first + (is_backwards ? lane->rows - 1 - turn : turn);
    lane->state->skipped = lane->mask && !lane->mask[step];
    if (lane->state->skipped) continue;
    lane->state->seen = 1;
    lane->is_live = 1;
    cells->live = i + 1;
  }
}

void ernn_run_recurrent(const ernn_context *runs, uint32_t lanes) {
  const ernn_op *op = runs->op;
  const ernn_constant *constants = ernn_constants(runs->model);
  uint32_t units = constants[op->arguments[ERNN_RNN_RECURRENT]].rows;
  uint32_t columns = constants[op->arguments[ERNN_RNN_KERNEL]].columns;
  uint32_t most = 0, chunk = chunk_steps(lanes);
  int is_sequence = (rnn_flags(op) & ERNN_RNN_SEQUENCES) != 0;
  for (uint32_t i = 0; i < lanes; i++) {
    most = input_steps(runs + i, 0) > most ? input_steps(runs + i, 0) : most;
  }
  ernn_rnn_parts parts =
      ernn_rnn_scratch(op, most, input_width(runs, 0), units, columns, lanes);
  ernn_cells cells = {
      .run = runs,
      .lanes = (ernn_cell_lane *)(void *)(runs->scratch + parts.lanes),
      .count = lanes,
      .units = units,
      .padded = ernn_padded(units),
      .columns = columns,
      .integers = runs->scratch + parts.integers,
      .projected = runs->scratch + parts.projected,
      .product = runs->scratch + parts.product,
      .reset = runs->scratch + parts.reset,
      .candidate = runs->scratch + parts.candidate,
      .fed = runs->scratch + parts.fed,
      .quantized = runs->scratch + parts.quantized,
  };
  for (uint32_t i = 0; i < lanes; i++) {
    cells.lanes[i] = lane_of(runs + i, cells.padded);
    load_states(&cells, runs + i, i);
  }
  for (uint32_t start = 0; start < most; start += chunk) {
    uint32_t rows = begin_cells(&cells, start, chunk);
    ernn_project(&cells);
    for (uint32_t turn = 0; turn < rows; turn++) {
      begin_step(&cells, turn);
      if (cells.live > 0) ernn_step_cells(&cells, turn);
      for (uint32_t i = 0; i < lanes && is_sequence; i++) {
        ernn_cell_lane *lane = cells.lanes + i;
        if (turn >= lane->rows || !lane->out) continue;
        write_output(&cells, lane, lane->out);
        lane->out += units;
      }
    }
  }
  for (uint32_t i = 0; i < lanes; i++) {
    const ernn_cell_lane *lane = cells.lanes + i;
    float *h = output_f32(runs + i, 1), *c = output_f32(runs + i, 2);
    if (lane->out && !is_sequence) write_output(&cells, lane, lane->out);
    if (h) write_h(&cells, lane, h);
    if (c) write_c(&cells, lane, c);
  }
}
