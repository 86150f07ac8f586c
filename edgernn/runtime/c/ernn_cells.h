/* ernn_cells.h: a recurrent layer while it runs, over one sequence or several side by side. */
#ifndef ERNN_CELLS_H
#define ERNN_CELLS_H

#include "ernn_layers.h"

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
  uint32_t is_fed;      /* dynamic cells: whether the bytes of h are those that the gates wrote; in
                         * whole steps, bit 1 says which of two rows of bytes has h */
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

/* A step of one sequence by one kernel, of integer or of dynamic cells: whether there is one for such
 * cells; else nothing is done.  row: where the inputs' product is. */
#ifdef ERNN_HAS_AVX512
int ernn_step_whole(const ernn_cells *cells, uint32_t row, uint32_t turn);
int ernn_step_whole_dynamic(const ernn_cells *cells, uint32_t row, uint32_t turn);
#else
#define ernn_step_whole(cells, row, turn) 0
#define ernn_step_whole_dynamic(cells, row, turn) 0
#endif

#endif
