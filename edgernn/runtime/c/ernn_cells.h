/* ernn_cells.h: a recurrent layer while it runs, over one sequence or several side by side. */
#ifndef ERNN_CELLS_H
#define ERNN_CELLS_H

#include "ernn_layers.h"
#include "ernn_products.h"

/* One of the sequences.  h and c are float or int16_t, as the layer computes. */
typedef struct ernn_cell_lane {
  ernn_rnn_state *state;
  void *h, *c;
  const float *x;
  const uint8_t *mask;
  float *out;
  uint32_t steps;       /* of the whole sequence */
  uint32_t first, rows; /* the steps of the chunk at hand */
  uint32_t is_live;     /* whether the step at hand changes its states */
  uint32_t is_fed;      /* dynamic cells: whether the bytes of h are those that the gates wrote */
  uint32_t fed_half;    /* where steps are one kernel: which of two rows of bytes has h */
} ernn_cell_lane;

/* Arrays of the scratch memory hold one row for each lane, or for each step of a chunk and each
 * lane: [step][lane]. */
typedef struct ernn_cells {
  const ernn_context *run; /* the first lane's; layer, weights and kernels are those of all */
  ernn_cell_lane *lanes;
  uint32_t count, live; /* lanes; lanes up to the last live one */
  uint32_t units, padded, columns;
  uint8_t *integers, *projected, *product, *reset, *candidate, *fed, *quantized;
} ernn_cells;

static inline float *as_f32(void *data) { return (float *)data; }
static inline int16_t *as_s16(void *data) { return (int16_t *)data; }

/* The input's product, for the `rows` of each lane that begin at its `first`. */
void ernn_project(const ernn_cells *cells);

/* One step of all live lanes: number `turn` of the chunk in the order of computation. */
void ernn_step_cells(const ernn_cells *cells, uint32_t turn);

/* What the first step of integer cells is fed with: h of lane `lane`, in bytes. */
void ernn_feed_state(const ernn_cells *cells, uint32_t lane);

/* The same by one kernel, of one sequence: whether there is one for such cells.  Else nothing is done. */
#ifdef ERNN_HAS_AVX512
int ernn_step_whole(const ernn_cells *cells, uint32_t turn);
int ernn_step_whole_dynamic(const ernn_cells *cells, uint32_t turn);
#else
static inline int ernn_step_whole(const ernn_cells *cells, uint32_t turn) {
  return (void)cells, (void)turn, 0;
}
static inline int ernn_step_whole_dynamic(const ernn_cells *cells, uint32_t turn) {
  return (void)cells, (void)turn, 0;
}
#endif

/* Where lane `lane` is in a chunk: backwards, a chunk is computed from its end. */
static inline uint32_t row_of(const ernn_cells *cell, uint32_t lane, uint32_t turn) {
  int is_backwards = (rnn_flags(cell->run->op) & ERNN_RNN_BACKWARDS) != 0;
  uint32_t step = is_backwards ? cell->lanes[lane].rows - 1 - turn : turn;
  return step * cell->count + lane;
}

/* How the recurrent product of integer cells takes its states: in planes where the kernels have them. */
static inline ernn_nibble_form fed_form_of(const ernn_cells *cell) {
  if (cell->run->op->arguments[ERNN_QRNN_STATE_BITS] != 16) return ERNN_NIBBLES_OF_BYTES;
  return cell->run->kernels->planes_product ? ERNN_NIBBLES_OF_PLANES : ERNN_NIBBLES_OF_WORDS;
}

static inline uint8_t *fed_of(const ernn_cells *cell, uint32_t lane) {
  return cell->fed + (size_t)lane * cell->padded;
}

static inline ernn_hard hard_of(const ernn_op *op) {
  ernn_hard hard = {(int16_t)op->arguments[ERNN_QRNN_HARD_LIMIT],
                    (int16_t)op->arguments[ERNN_QRNN_HARD_FACTOR]};
  return hard;
}

#endif
