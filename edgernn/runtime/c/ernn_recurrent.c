/* ernn_recurrent.c: GRU, LSTM and simple RNN, in float32 and in integers.
 *
 * The input's product is computed for a chunk of steps at once.  A step is then two phases: the
 * recurrent product of all units, then the gates of all units, so that each loop stays in the
 * instruction cache and a state may be overwritten in place. */

#include "ernn_fixed_point.h"
#include "ernn_layers.h"

ernn_rnn_parts ernn_rnn_scratch(const ernn_op *op, uint32_t steps, uint32_t width, uint32_t units,
                                uint32_t columns) {
  size_t element = is_integer_op(op) ? sizeof(int16_t) : sizeof(float);
  size_t vector = ernn_aligned(ernn_padded(units) * element), chunk = chunk_of(steps);
  ernn_rnn_parts parts = {0, 0, 0, 0, 0, 0, 0};
  if (is_integer_op(op)) parts.projected = ernn_aligned(chunk * quad_padded(width) * element);
  parts.product = parts.projected + ernn_aligned(chunk * columns * element);
  parts.reset = parts.product + ernn_aligned(columns * element);
  parts.candidate = parts.reset + vector;
  parts.fed = parts.candidate + vector;
  parts.bytes = parts.fed + vector;
  return parts;
}

/* A recurrent layer while it runs.  Pointers are to float or int16_t, as the layer computes. */
typedef struct cells {
  const ernn_context *run;
  uint32_t units, padded, columns;
  void *h, *c;
  uint8_t *integers, *projected, *product, *reset, *candidate, *fed;
} cells;

static float *as_f32(void *data) { return (float *)data; }
static int16_t *as_s16(void *data) { return (int16_t *)data; }

/* ---- float32 ---- */

/* One step with any activations.  x and r are [tile][gate][16]; x is overwritten. */
static void step_with_activations(const cells *cell, float *x, const float *r, float *h,
                                  float *c) {
  const ernn_context *run = cell->run;
  uint32_t padded = cell->padded;
  const uint32_t *arguments = run->op->arguments;
  const uint32_t *on_gates = arguments + ERNN_RNN_GATE_ACTIVATION;
  const uint32_t *on_candidate = arguments + ERNN_RNN_ACTIVATION;
  const ernn_kernels *kernels = run->kernels;
  int resets_before = arguments[ERNN_RNN_CANDIDATE] != ERNN_NONE;
  uint32_t tiles = padded / ERNN_TILE;
  if (run->op->kind == ERNN_OP_RNN) {
    for (uint32_t i = 0; i < padded; i++) h[i] = x[i] + r[i];
    ernn_activate(kernels, on_candidate, h, 1, padded);
  } else if (run->op->kind == ERNN_OP_LSTM) {
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *gates = x + tile * 4 * ERNN_TILE, *i = gates, *f = gates + 16, *n = gates + 32,
            *o = gates + 48;
      for (uint32_t k = 0; k < 4 * ERNN_TILE; k++) gates[k] += r[tile * 4 * ERNN_TILE + k];
      ernn_activate(kernels, on_gates, i, 1, 2 * ERNN_TILE);
      ernn_activate(kernels, on_candidate, n, 1, ERNN_TILE);
      ernn_activate(kernels, on_gates, o, 1, ERNN_TILE);
      float *memory = c + tile * ERNN_TILE, *hidden = h + tile * ERNN_TILE;
      for (uint32_t k = 0; k < ERNN_TILE; k++) {
        memory[k] = f[k] * memory[k] + i[k] * n[k];
        hidden[k] = memory[k];
      }
      ernn_activate(kernels, on_candidate, hidden, 1, ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) hidden[k] *= o[k];
    }
  } else {
    uint32_t recurrent_gates = resets_before ? 2 : 3;
    float *reset = as_f32(cell->reset), *candidate = as_f32(cell->candidate);
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *gates = x + tile * 3 * ERNN_TILE;
      const float *recurrent = r + tile * recurrent_gates * ERNN_TILE;
      for (uint32_t k = 0; k < 2 * ERNN_TILE; k++) gates[k] += recurrent[k];
      ernn_activate(kernels, on_gates, gates, 1, 2 * ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) {
        reset[tile * ERNN_TILE + k] =
            gates[ERNN_TILE + k] *
            (resets_before ? h[tile * ERNN_TILE + k] : recurrent[2 * ERNN_TILE + k]);
      }
    }
    if (resets_before) {
      ernn_matrix matrix = ernn_matrix_of(run->model, arguments[ERNN_RNN_CANDIDATE]);
      kernels->f32_gemm(reset, padded, 1, &matrix, NULL, candidate, padded);
    } else {
      candidate = reset;
    }
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *z = x + tile * 3 * ERNN_TILE, *n = z + 2 * ERNN_TILE, *hidden = h + tile * ERNN_TILE;
      for (uint32_t k = 0; k < ERNN_TILE; k++) n[k] += candidate[tile * ERNN_TILE + k];
      ernn_activate(kernels, on_candidate, n, 1, ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) hidden[k] = z[k] * hidden[k] + (1.0f - z[k]) * n[k];
    }
  }
}

static void project_f32(const cells *cell, const float *x, uint32_t rows) {
  const ernn_context *run = cell->run;
  ernn_matrix kernel = ernn_matrix_of(run->model, run->op->arguments[ERNN_RNN_KERNEL]);
  run->kernels->f32_gemm(x, kernel.rows, rows, &kernel, vector_of(run, ERNN_RNN_BIAS),
                         as_f32(cell->projected), cell->columns);
}

static void step_f32(const cells *cell, uint32_t row) {
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  ernn_matrix recurrent = ernn_matrix_of(run->model, arguments[ERNN_RNN_RECURRENT]);
  int is_default = arguments[ERNN_RNN_ACTIVATION] == ERNN_ACTIVATION_TANH &&
                   arguments[ERNN_RNN_GATE_ACTIVATION] == ERNN_ACTIVATION_SIGMOID &&
                   arguments[ERNN_RNN_CANDIDATE] == ERNN_NONE && run->op->kind != ERNN_OP_RNN;
  float *x = as_f32(cell->projected) + (size_t)row * cell->columns, *r = as_f32(cell->product);
  float *h = as_f32(cell->h), *c = as_f32(cell->c);
  run->kernels->f32_gemm(h, cell->padded, 1, &recurrent, vector_of(run, ERNN_RNN_RECURRENT_BIAS), r,
                         recurrent.columns);
  if (!is_default) {
    step_with_activations(cell, x, r, h, c);
  } else if (run->op->kind == ERNN_OP_LSTM) {
    run->kernels->f32_lstm(x, r, h, c, cell->padded / ERNN_TILE);
  } else {
    run->kernels->f32_gru(x, r, h, cell->padded / ERNN_TILE);
  }
}

/* ---- Integers: docs/integer-arithmetic.md, section 6 ---- */

static void project_s16(const cells *cell, const float *x, uint32_t rows) {
  const ernn_context *run = cell->run;
  const uint32_t *reading = run->op->arguments + ERNN_QRNN_READING;
  ernn_product kernel = ernn_product_of(run->model, run->op->arguments[ERNN_RNN_KERNEL]);
  uint32_t width = kernel.rows, padded = quad_padded(width);
  int16_t *projected = as_s16(cell->projected);
  size_t row_bytes = (size_t)padded * (reading[ERNN_READING_BITS] / 8);
  for (uint32_t i = 0; i < rows; i++) {
    ernn_read_row(reading, x + (size_t)i * width, width, padded, cell->integers + i * row_bytes);
  }
  if (reading[ERNN_READING_BITS] == 16) {
    run->kernels->s16_product(as_s16(cell->integers), padded, rows, &kernel, projected,
                              cell->columns);
  } else {
    run->kernels->u8_product(cell->integers, padded, rows, &kernel, projected, cell->columns);
  }
}

/* Panels [first, first + count) of a product. */
static ernn_product panels_of(const ernn_product *whole, uint32_t first, uint32_t count) {
  ernn_product part = *whole;
  uint32_t column = first * whole->tiles * ERNN_TILE, width = count * whole->tiles * ERNN_TILE;
  part.panels += (size_t)column * quad_padded(whole->rows);
  part.bias += column;
  part.unsigned_bias += column;
  part.shift += column;
  part.multiplier += column;
  part.columns = width < whole->columns - column ? width : whole->columns - column;
  return part;
}

/* Parts of the recurrent weights that are multiplied in turn. */
enum { PARTS = 4 };

/* The product of a state, which is `fed` in bytes or `words` in 16 bits.
 *
 * Every other step goes through the parts from the last to the first: what the step before read at
 * its end is still in the cache.  Always in one order, weights that are larger than a cache by a
 * little are never found in it (measured: 2 to 9 % of a sequence's time). */
static void feed(const cells *cell, uint32_t argument, uint32_t step, const int16_t *words,
                 int16_t *out) {
  const ernn_context *run = cell->run;
  ernn_product product = ernn_product_of(run->model, run->op->arguments[argument]);
  uint32_t width = product.tiles * ERNN_TILE, panels = (product.columns + width - 1) / width;
  for (uint32_t turn = 0; turn < PARTS; turn++) {
    uint32_t number = step & 1u ? PARTS - 1 - turn : turn;
    uint32_t first = panels * number / PARTS, end = panels * (number + 1) / PARTS;
    if (first == end) continue;
    ernn_product part = panels_of(&product, first, end - first);
    int16_t *to = out + (size_t)first * width;
    if (run->op->arguments[ERNN_QRNN_STATE_BITS] == 16) {
      run->kernels->s16_product(words, cell->padded, 1, &part, to, part.columns);
    } else {
      run->kernels->u8_product(cell->fed, cell->padded, 1, &part, to, part.columns);
    }
  }
}

static void narrow_to_fed(const cells *cell, const int16_t *words) {
  for (uint32_t i = 0; i < cell->padded; i++) cell->fed[i] = ernn_fed(words[i]);
}

static ernn_hard hard_of(const ernn_op *op) {
  ernn_hard hard = {(int16_t)op->arguments[ERNN_QRNN_HARD_LIMIT],
                    (int16_t)op->arguments[ERNN_QRNN_HARD_FACTOR]};
  return hard;
}

/* GRU without reset_after: the candidate's product waits for the reset gate. */
static void step_resetting_before(const cells *cell, uint32_t step, const int16_t *x,
                                  const int16_t *r) {
  ernn_hard hard = hard_of(cell->run->op);
  int16_t *h = as_s16(cell->h), *reset = as_s16(cell->reset), *product = as_s16(cell->candidate);
  for (uint32_t i = 0; i < cell->padded; i++) {
    uint32_t at = i / ERNN_TILE * 3 * ERNN_TILE + i % ERNN_TILE;
    uint32_t gate = i / ERNN_TILE * 2 * ERNN_TILE + i % ERNN_TILE;
    int32_t opened = ernn_fixed_gate(ernn_adds(x[at + 16], r[gate + 16]), hard);
    reset[i] = (int16_t)ernn_mulr(opened, h[i]);
  }
  narrow_to_fed(cell, reset);
  feed(cell, ERNN_RNN_CANDIDATE, step, reset, product);
  for (uint32_t i = 0; i < cell->padded; i++) {
    uint32_t at = i / ERNN_TILE * 3 * ERNN_TILE + i % ERNN_TILE;
    uint32_t gate = i / ERNN_TILE * 2 * ERNN_TILE + i % ERNN_TILE;
    int32_t z = ernn_fixed_gate(ernn_adds(x[at], r[gate]), hard);
    int32_t n = ernn_fixed_tanh(ernn_adds(x[at + 32], product[i]));
    h[i] = (int16_t)ernn_gru_state(z, n, h[i]);
  }
  narrow_to_fed(cell, h);
}

static void step_s16(const cells *cell, uint32_t row) {
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  const int16_t *x = as_s16(cell->projected) + (size_t)row * cell->columns;
  int16_t *r = as_s16(cell->product), *h = as_s16(cell->h), *c = as_s16(cell->c);
  uint32_t tiles = cell->padded / ERNN_TILE;
  feed(cell, ERNN_RNN_RECURRENT, row, h, r);
  if (run->op->kind == ERNN_OP_QRNN) {
    for (uint32_t i = 0; i < cell->padded; i++) {
      h[i] = (int16_t)ernn_fixed_tanh(ernn_adds(x[i], r[i]));
    }
    narrow_to_fed(cell, h);
  } else if (run->op->kind == ERNN_OP_QLSTM) {
    const ernn_cell *constants =
        (const ernn_cell *)ernn_constant_data(run->model, arguments[ERNN_QRNN_CELL]);
    run->kernels->s16_lstm(x, r, h, c, constants, cell->fed, tiles, hard_of(run->op));
  } else if (arguments[ERNN_RNN_CANDIDATE] != ERNN_NONE) {
    step_resetting_before(cell, row, x, r);
  } else {
    run->kernels->s16_gru(x, r, h, cell->fed, tiles, hard_of(run->op));
  }
}

/* The float32 value of a cell's unit: 2^(e - 15). */
static float cell_unit(const cells *cell, uint32_t unit) {
  const ernn_cell *constants = (const ernn_cell *)ernn_constant_data(
      cell->run->model, cell->run->op->arguments[ERNN_QRNN_CELL]);
  int32_t exponent = constants[unit / ERNN_TILE].exponent[ERNN_LANE(unit % ERNN_TILE)];
  return ernn_float_of((uint32_t)(exponent - 15 + 127) << 23);
}

/* ---- Both ---- */

static void load_states(const cells *cell) {
  const ernn_context *run = cell->run;
  const float *h = input_f32(run, 2), *c = input_f32(run, 3);
  size_t vector = cell->units * sizeof(float);
  if (!is_integer_op(run->op)) {
    if (h) ernn_copy(cell->h, h, vector);
    if (c) ernn_copy(cell->c, c, vector);
    return;
  }
  uint32_t reading[4] = {16, 0, 32767, 1}; /* as a state */
  if (h) ernn_read_row(reading, h, cell->units, cell->padded, cell->h);
  for (uint32_t i = 0; i < cell->units && c; i++) {
    float scaled = c[i] / cell_unit(cell, i) * (1.0f / 32768.0f); /* powers of two: exact */
    ernn_read_row(reading, &scaled, 1, 1, as_s16(cell->c) + i);
  }
  narrow_to_fed(cell, as_s16(cell->h));
}

static void write_h(const cells *cell, float *out) {
  if (is_integer_op(cell->run->op)) {
    const int16_t *h = as_s16(cell->h);
    for (uint32_t i = 0; i < cell->units; i++) out[i] = (float)h[i] * (1.0f / 32768.0f);
  } else {
    ernn_copy(out, cell->h, cell->units * sizeof(float));
  }
}

static void write_c(const cells *cell, float *out) {
  if (is_integer_op(cell->run->op)) {
    const int16_t *c = as_s16(cell->c);
    for (uint32_t i = 0; i < cell->units; i++) out[i] = (float)c[i] * cell_unit(cell, i);
  } else {
    ernn_copy(out, cell->c, cell->units * sizeof(float));
  }
}

/* The output at a step, or after the last: h, the previous h where masked, zeros before that. */
static void write_output(const cells *cell, const ernn_rnn_state *state, float *out) {
  int zero_masked = (rnn_flags(cell->run->op) & ERNN_RNN_ZERO_MASKED) != 0;
  if (!state->seen || (state->skipped && zero_masked)) {
    ernn_clear(out, cell->units * sizeof(float));
  } else {
    write_h(cell, out);
  }
}

void ernn_run_recurrent(const ernn_context *run) {
  const ernn_constant *constants = ernn_constants(run->model);
  const uint32_t *arguments = run->op->arguments;
  uint32_t units = constants[arguments[ERNN_RNN_RECURRENT]].rows;
  uint32_t columns = constants[arguments[ERNN_RNN_KERNEL]].columns;
  uint32_t steps = input_steps(run, 0), width = input_width(run, 0), flags = rnn_flags(run->op);
  int is_integer = is_integer_op(run->op), is_backwards = (flags & ERNN_RNN_BACKWARDS) != 0;
  ernn_rnn_parts parts = ernn_rnn_scratch(run->op, steps, width, units, columns);
  ernn_rnn_state *state = (ernn_rnn_state *)(void *)run->state;
  uint8_t *h = run->state + sizeof *state;
  uint32_t padded = ernn_padded(units);
  const cells cell = {
      .run = run,
      .units = units,
      .padded = padded,
      .columns = columns,
      .h = h,
      .c = h + padded * (is_integer ? sizeof(int16_t) : sizeof(float)),
      .integers = run->scratch + parts.integers,
      .projected = run->scratch + parts.projected,
      .product = run->scratch + parts.product,
      .reset = run->scratch + parts.reset,
      .candidate = run->scratch + parts.candidate,
      .fed = run->scratch + parts.fed,
  };
  const float *x = input_f32(run, 0);
  const uint8_t *mask = input_mask(run, 1);
  float *out = output_f32(run, 0);
  load_states(&cell);
  for (uint32_t start = 0; start < steps; start += ERNN_CHUNK_STEPS) {
    uint32_t rows = chunk_of(steps - start), first = is_backwards ? steps - start - rows : start;
    if (is_integer) {
      project_s16(&cell, x + (size_t)first * width, rows);
    } else {
      project_f32(&cell, x + (size_t)first * width, rows);
    }
    for (uint32_t i = 0; i < rows; i++) {
      uint32_t row = is_backwards ? rows - 1 - i : i;
      state->skipped = mask && !mask[first + row];
      if (!state->skipped) {
        state->seen = 1;
        if (is_integer) {
          step_s16(&cell, row);
        } else {
          step_f32(&cell, row);
        }
      }
      if (out && flags & ERNN_RNN_SEQUENCES) {
        write_output(&cell, state, out);
        out += units;
      }
    }
  }
  if (out && !(flags & ERNN_RNN_SEQUENCES)) write_output(&cell, state, out);
  if (output_f32(run, 1)) write_h(&cell, output_f32(run, 1));
  if (output_f32(run, 2)) write_c(&cell, output_f32(run, 2));
}
