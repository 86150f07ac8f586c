/* ernn_cells.c: one step of GRU, LSTM and simple RNN, in float32 and in integers.
 *
 * A step is two phases: the recurrent product of all units, then the gates of all units, so that
 * each loop stays in the instruction cache and a state may be overwritten in place.  Sequences side
 * by side share the product, which reads the weights once for all of them. */

#include "ernn_cells.h"
#include "ernn_fixed_point.h"
#include "ernn_products.h"

/* Where lane `lane` is in a chunk: backwards, a chunk is computed from its end. */
static uint32_t row_of(const ernn_cells *cell, uint32_t lane, uint32_t turn) {
  int is_backwards = (rnn_flags(cell->run->op) & ERNN_RNN_BACKWARDS) != 0;
  uint32_t step = is_backwards ? cell->lanes[lane].rows - 1 - turn : turn;
  return step * cell->count + lane;
}

/* ---- float32 ---- */

/* One step with any activations.  x and r are [tile][gate][16]; x is overwritten. */
static void step_with_activations(const ernn_cells *cell, float *x, const float *r, float *h,
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
      ernn_rows_in from = {reset, padded, 1, 1, 0};
      ernn_multiply(run, arguments[ERNN_RNN_CANDIDATE], &from, NULL, candidate, padded,
                    cell->fed);
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

/* The states of all lanes one after the other. */
static const void *states_of(const ernn_cells *cell, size_t element) {
  if (cell->count == 1) return cell->lanes->h;
  for (uint32_t i = 0; i < cell->live; i++) {
    size_t bytes = cell->padded * element;
    if (cell->lanes[i].is_live) ernn_copy(cell->reset + i * bytes, cell->lanes[i].h, bytes);
  }
  return cell->reset;
}

static int has_default_gates(const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  return arguments[ERNN_RNN_ACTIVATION] == ERNN_ACTIVATION_TANH &&
         arguments[ERNN_RNN_GATE_ACTIVATION] == ERNN_ACTIVATION_SIGMOID &&
         arguments[ERNN_RNN_CANDIDATE] == ERNN_NONE && op->kind != ERNN_OP_RNN;
}

/* The recurrent sums of the dynamic scheme; their factors are where cell->fed begins. */
static void sum_states(const ernn_cells *cell, uint32_t turn) {
  const ernn_context *run = cell->run;
  uint32_t constant = run->op->arguments[ERNN_RNN_RECURRENT];
  uint32_t columns = ernn_constants(run->model)[constant].columns;
  if (!ernn_takes_fed(run, constant)) {
    ernn_rows_in from = {(const float *)states_of(cell, sizeof(float)), cell->padded, cell->live, 1,
                         turn};
    ernn_sum(run, constant, &from, as_f32(cell->product), columns, cell->fed);
    return;
  }
  float *factors = as_f32(cell->fed);
  for (uint32_t i = 0; i < cell->live; i++) {
    const ernn_cell_lane *lane = cell->lanes + i;
    factors[i] = 1.0f / ERNN_STATE_STEPS;
    if (lane->is_live && !lane->is_fed) {
      factors[i] = ernn_feed(run, as_f32(lane->h), cell->units, cell->reset + (size_t)i * cell->padded);
    }
  }
  ernn_sum_fed(run, constant, cell->reset, cell->live, turn, as_f32(cell->product), columns);
}

/* One step of the dynamic scheme with the default activations. */
static void step_dynamic(const ernn_cells *cell, uint32_t turn) {
  if (ernn_step_whole_dynamic(cell, row_of(cell, 0, turn), turn)) return;
  const ernn_context *run = cell->run;
  const ernn_kernels *kernels = run->kernels;
  uint32_t columns = ernn_constants(run->model)[run->op->arguments[ERNN_RNN_RECURRENT]].columns;
  uint32_t tiles = cell->padded / ERNN_TILE;
  sum_states(cell, turn);
  for (uint32_t i = 0; i < cell->live; i++) {
    ernn_cell_lane *lane = cell->lanes + i;
    if (!lane->is_live) continue;
    uint32_t row = row_of(cell, i, turn);
    uint8_t *fed = cell->reset + (size_t)i * cell->padded;
    ernn_scaled x = {as_f32(cell->projected) + (size_t)row * cell->columns, vector_of(run, ERNN_RNN_BIAS),
                     as_f32(cell->quantized)[row]};
    ernn_scaled r = {as_f32(cell->product) + (size_t)i * columns,
                     vector_of(run, ERNN_RNN_RECURRENT_BIAS), as_f32(cell->fed)[i]};
    float *h = as_f32(lane->h), *c = as_f32(lane->c);
    uint32_t beyond = ERNN_HAS(LSTM) && run->op->kind == ERNN_OP_LSTM
                          ? kernels->dynamic_lstm(&x, &r, h, c, fed, tiles)
                          : kernels->dynamic_gru(&x, &r, h, fed, tiles);
    lane->is_fed = beyond == 0;
  }
}

/* Whether both products are of integers; a file may have one that is and one of floats. */
static int is_dynamic(const ernn_cells *cell) {
  const ernn_constant *constants = ernn_constants(cell->run->model);
  const uint32_t *arguments = cell->run->op->arguments;
  return constants[arguments[ERNN_RNN_KERNEL]].type == ERNN_ACCUMULATION &&
         constants[arguments[ERNN_RNN_RECURRENT]].type == ERNN_ACCUMULATION &&
         has_default_gates(cell->run->op);
}

static void step_f32(const ernn_cells *cell, uint32_t turn) {
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  uint32_t columns = ernn_constants(run->model)[arguments[ERNN_RNN_RECURRENT]].columns;
  uint32_t tiles = cell->padded / ERNN_TILE;
  if (is_dynamic(cell)) {
    step_dynamic(cell, turn);
    return;
  }
  ernn_rows_in from = {(const float *)states_of(cell, sizeof(float)), cell->padded, cell->live, 1,
                       turn};
  ernn_multiply(run, arguments[ERNN_RNN_RECURRENT], &from, vector_of(run, ERNN_RNN_RECURRENT_BIAS),
                as_f32(cell->product), columns, cell->fed);
  for (uint32_t i = 0; i < cell->live; i++) {
    const ernn_cell_lane *lane = cell->lanes + i;
    if (!lane->is_live) continue;
    float *x = as_f32(cell->projected) + (size_t)row_of(cell, i, turn) * cell->columns;
    const float *r = as_f32(cell->product) + (size_t)i * columns;
    float *h = as_f32(lane->h), *c = as_f32(lane->c);
    if (!has_default_gates(run->op)) {
      step_with_activations(cell, x, r, h, c);
    } else if (ERNN_HAS(LSTM) && run->op->kind == ERNN_OP_LSTM) {
      run->kernels->f32_lstm(x, r, h, c, tiles);
    } else {
      run->kernels->f32_gru(x, r, h, tiles);
    }
  }
}

static void project_f32(const ernn_cells *cell) {
  const ernn_context *run = cell->run;
  uint32_t constant = run->op->arguments[ERNN_RNN_KERNEL], rows = 0;
  uint32_t width = ernn_constants(run->model)[constant].rows;
  size_t vector = width * sizeof(float);
  ernn_rows_in from = {cell->lanes->x + (size_t)cell->lanes->first * width, width,
                       cell->lanes->rows, 0, 0};
  if (cell->count > 1) {
    for (uint32_t i = 0; i < cell->count; i++) {
      const ernn_cell_lane *lane = cell->lanes + i;
      for (uint32_t row = 0; row < lane->rows; row++) {
        ernn_copy(cell->integers + (row * cell->count + i) * vector,
                  lane->x + (size_t)(lane->first + row) * width, vector);
      }
      rows = lane->rows > rows ? lane->rows : rows;
    }
    from.x = as_f32(cell->integers);
    from.rows = rows * cell->count;
  }
  if (is_dynamic(cell)) { /* the gates scale: factors are where cell->quantized begins */
    ernn_sum(run, constant, &from, as_f32(cell->projected), cell->columns, cell->quantized);
  } else {
    ernn_multiply(run, constant, &from, vector_of(run, ERNN_RNN_BIAS), as_f32(cell->projected),
                  cell->columns, cell->quantized);
  }
}

/* ---- Integers: docs/integer-arithmetic.md, section 6 ---- */

static void project_s16(const ernn_cells *cell) {
  const ernn_context *run = cell->run;
  const uint32_t *reading = run->op->arguments + ERNN_QRNN_READING;
  ernn_product kernel = ernn_product_of(run->model, run->op->arguments[ERNN_RNN_KERNEL]);
  uint32_t width = kernel.rows, padded = quad_padded(width), rows = 0;
  int16_t *projected = as_s16(cell->projected);
  size_t row_bytes = (size_t)padded * (reading[ERNN_READING_BITS] / 8);
  int is_wide = reading[ERNN_READING_BITS] == 16, in_planes = is_wide && run->kernels->planes_product;
  for (uint32_t i = 0; i < cell->count; i++) {
    const ernn_cell_lane *lane = cell->lanes + i;
    const float *x = lane->x + (size_t)lane->first * width;
    for (uint32_t row = 0; row < lane->rows; row++) {
      uint8_t *to = cell->integers + (row * cell->count + i) * row_bytes;
      if (in_planes) {
        ernn_read_planes(run->kernels, reading, x + (size_t)row * width, width, padded, to);
      } else {
        ernn_read_row(run->kernels, reading, x + (size_t)row * width, width, padded, to);
      }
    }
    rows = lane->rows > rows ? lane->rows : rows;
  }
  rows *= cell->count;
  ernn_integers from = {cell->integers, row_bytes, padded, rows, ERNN_NIBBLES_OF_BYTES};
  if (is_wide) from.form = in_planes ? ERNN_NIBBLES_OF_PLANES : ERNN_NIBBLES_OF_WORDS;
  ernn_multiply_integers(run->kernels, &from, &kernel, 1, 0, projected, cell->columns, 0);
}

/* How the recurrent product of integer cells takes its states: in planes where the kernels have them. */
static ernn_nibble_form fed_form_of(const ernn_cells *cell) {
  if (cell->run->op->arguments[ERNN_QRNN_STATE_BITS] != 16) return ERNN_NIBBLES_OF_BYTES;
  return cell->run->kernels->planes_product ? ERNN_NIBBLES_OF_PLANES : ERNN_NIBBLES_OF_WORDS;
}

static uint8_t *fed_of(const ernn_cells *cell, uint32_t lane) {
  return cell->fed + (size_t)lane * cell->padded;
}

/* Those of a lane; they take the place of the bytes of two. */
static uint8_t *fed_planes(const ernn_cells *cell, uint32_t lane) {
  return cell->fed + (size_t)lane * 2 * cell->padded;
}

static void narrow_to_fed(const ernn_cells *cell, uint32_t lane, const int16_t *words) {
  uint8_t *fed = fed_of(cell, lane);
  uint32_t padded = cell->padded; /* which bytes that are written might change otherwise */
  for (uint32_t i = 0; i < padded; i++) fed[i] = ernn_fed(words[i]);
}

static void split_to_planes(const ernn_cells *cell, uint32_t lane, const int16_t *words) {
  uint32_t padded = cell->padded;
  uint8_t *high = fed_planes(cell, lane), *low = high + padded;
  for (uint32_t i = 0; i < padded; i++) high[i] = (uint8_t)(((uint16_t)words[i] ^ 0x8000u) >> 8);
  for (uint32_t i = 0; i < padded; i++) low[i] = (uint8_t)((uint16_t)words[i] & 0xFFu);
}

/* The product of the states of `lanes` lanes, which are `fed` as fed_form_of says. */
static void feed(const ernn_cells *cell, uint32_t argument, uint32_t turn, const void *fed,
                 uint32_t lanes, int16_t *out) {
  const ernn_context *run = cell->run;
  ernn_product product = ernn_product_of(run->model, run->op->arguments[argument]);
  size_t padded = cell->padded;
  ernn_integers from = {fed, 2 * padded, padded, lanes, fed_form_of(cell)};
  if (from.form == ERNN_NIBBLES_OF_BYTES) from.stride = padded;
  ernn_multiply_integers(run->kernels, &from, &product, ERNN_PARTS, turn, out, product.columns, 0);
}

void ernn_feed_state(const ernn_cells *cell, uint32_t lane) {
  narrow_to_fed(cell, lane, as_s16(cell->lanes[lane].h));
}

static ernn_hard hard_of(const ernn_op *op) {
  ernn_hard hard = {(int16_t)op->arguments[ERNN_QRNN_HARD_LIMIT],
                    (int16_t)op->arguments[ERNN_QRNN_HARD_FACTOR]};
  return hard;
}

/* GRU without reset_after: the candidate's product waits for the reset gate. */
static void step_resetting_before(const ernn_cells *cell, uint32_t lane, uint32_t turn,
                                  const int16_t *x, const int16_t *r) {
  ernn_hard hard = hard_of(cell->run->op);
  int16_t *h = as_s16(cell->lanes[lane].h), *product = as_s16(cell->candidate);
  int16_t *reset = as_s16(cell->reset) + (size_t)lane * cell->padded;
  for (uint32_t i = 0; i < cell->padded; i++) {
    uint32_t at = i / ERNN_TILE * 3 * ERNN_TILE + i % ERNN_TILE;
    uint32_t gate = i / ERNN_TILE * 2 * ERNN_TILE + i % ERNN_TILE;
    int32_t opened = ernn_fixed_gate(ernn_adds(x[at + 16], r[gate + 16]), hard);
    reset[i] = (int16_t)ernn_mulr(opened, h[i]);
  }
  const void *fed = reset;
  if (fed_form_of(cell) == ERNN_NIBBLES_OF_PLANES) {
    split_to_planes(cell, lane, reset);
    fed = fed_planes(cell, lane);
  } else if (fed_form_of(cell) == ERNN_NIBBLES_OF_BYTES) {
    narrow_to_fed(cell, lane, reset);
    fed = fed_of(cell, lane);
  }
  feed(cell, ERNN_RNN_CANDIDATE, turn, fed, 1, product);
  for (uint32_t i = 0; i < cell->padded; i++) {
    uint32_t at = i / ERNN_TILE * 3 * ERNN_TILE + i % ERNN_TILE;
    uint32_t gate = i / ERNN_TILE * 2 * ERNN_TILE + i % ERNN_TILE;
    int32_t z = ernn_fixed_gate(ernn_adds(x[at], r[gate]), hard);
    int32_t n = ernn_fixed_tanh(ernn_adds(x[at + 32], product[i]));
    h[i] = (int16_t)ernn_gru_state(z, n, h[i]);
  }
  narrow_to_fed(cell, lane, h);
}

static void step_s16(const ernn_cells *cell, uint32_t turn) {
  if (ernn_step_whole(cell, row_of(cell, 0, turn), turn)) return;
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  uint32_t tiles = cell->padded / ERNN_TILE;
  uint32_t r_columns = ernn_constants(run->model)[arguments[ERNN_RNN_RECURRENT]].columns;
  const void *fed = cell->fed;
  if (fed_form_of(cell) == ERNN_NIBBLES_OF_WORDS) {
    fed = states_of(cell, sizeof(int16_t));
  } else if (fed_form_of(cell) == ERNN_NIBBLES_OF_PLANES) { /* over the bytes that the gates wrote */
    for (uint32_t i = 0; i < cell->live; i++) {
      if (cell->lanes[i].is_live) split_to_planes(cell, i, as_s16(cell->lanes[i].h));
    }
  }
  feed(cell, ERNN_RNN_RECURRENT, turn, fed, cell->live, as_s16(cell->product));
  for (uint32_t i = 0; i < cell->live; i++) {
    const ernn_cell_lane *lane = cell->lanes + i;
    if (!lane->is_live) continue;
    const int16_t *x = as_s16(cell->projected) + (size_t)row_of(cell, i, turn) * cell->columns;
    const int16_t *r = as_s16(cell->product) + (size_t)i * r_columns;
    int16_t *h = as_s16(lane->h), *c = as_s16(lane->c);
    if (ERNN_HAS(QRNN) && run->op->kind == ERNN_OP_QRNN) {
      for (uint32_t k = 0; k < cell->padded; k++) {
        h[k] = (int16_t)ernn_fixed_tanh(ernn_adds(x[k], r[k]));
      }
      narrow_to_fed(cell, i, h);
    } else if (ERNN_HAS(QLSTM) && run->op->kind == ERNN_OP_QLSTM) {
      const ernn_cell *constants =
          (const ernn_cell *)ernn_constant_data(run->model, arguments[ERNN_QRNN_CELL]);
      run->kernels->s16_lstm(x, r, h, c, constants, fed_of(cell, i), tiles, hard_of(run->op));
    } else if (ERNN_HAS(QGRU) && arguments[ERNN_RNN_CANDIDATE] != ERNN_NONE) {
      step_resetting_before(cell, i, turn, x, r);
    } else if (ERNN_HAS(QGRU)) {
      run->kernels->s16_gru(x, r, h, fed_of(cell, i), tiles, hard_of(run->op));
    }
  }
}

/* ---- Both ---- */

static int is_integer_cells(const ernn_op *op) {
  return ERNN_HAS_INTEGER_CELLS && (!ERNN_HAS_FLOAT_CELLS || is_integer_op(op));
}

void ernn_project(const ernn_cells *cell) {
  if (is_integer_cells(cell->run->op)) {
    project_s16(cell);
  } else {
    project_f32(cell);
  }
}

void ernn_step_cells(const ernn_cells *cell, uint32_t turn) {
  if (is_integer_cells(cell->run->op)) {
    step_s16(cell, turn);
  } else {
    step_f32(cell, turn);
  }
}
