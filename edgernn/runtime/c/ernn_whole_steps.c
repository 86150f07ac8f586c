/* ernn_whole_steps.c: steps of one sequence whose product and gates are one kernel. */

#include "ernn_cells.h"
#include "ernn_products.h"

#ifdef ERNN_HAS_AVX512

/* Of is_fed: gates write the bytes of h beside those that the product of other units still reads. */
enum { SECOND = 2 };

static uint8_t *half_of(const ernn_cells *cell, uint8_t *bytes, uint32_t second) {
  return second ? bytes + cell->padded : bytes;
}

int ernn_step_whole(const ernn_cells *cell, uint32_t row, uint32_t turn) {
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  ernn_cell_lane *lane = cell->lanes;
  uint32_t is_lstm = ERNN_HAS(QLSTM) && run->op->kind == ERNN_OP_QLSTM;
  int is_gru = run->op->kind == ERNN_OP_QGRU && arguments[ERNN_RNN_CANDIDATE] == ERNN_NONE;
  ernn_product recurrent = ernn_product_of(run->model, arguments[ERNN_RNN_RECURRENT]);
  int has_kernel = is_lstm ? run->kernels->u8_lstm != NULL : run->kernels->u8_gru != NULL;
  if (!has_kernel || cell->count > 1 || arguments[ERNN_QRNN_STATE_BITS] == 16) return 0;
  if (!(is_lstm || is_gru) || recurrent.is_nibbles || recurrent.tiles != 3u + is_lstm) return 0;
  const int16_t *x = as_s16(cell->projected) + (size_t)row * cell->columns;
  const uint8_t *fed = half_of(cell, cell->fed, lane->is_fed & SECOND);
  lane->is_fed ^= SECOND;
  uint8_t *next = half_of(cell, cell->fed, lane->is_fed & SECOND);
  ernn_hard hard = {(int16_t)arguments[ERNN_QRNN_HARD_LIMIT],
                    (int16_t)arguments[ERNN_QRNN_HARD_FACTOR]};
  if (is_lstm) {
    const void *constants = ernn_constant_data(run->model, arguments[ERNN_QRNN_CELL]);
    run->kernels->u8_lstm(&recurrent, x, fed, as_s16(lane->h), as_s16(lane->c), constants, next, turn, hard);
  } else {
    run->kernels->u8_gru(&recurrent, x, fed, as_s16(lane->h), next, turn, hard);
  }
  return 1;
}

int ernn_step_whole_dynamic(const ernn_cells *cell, uint32_t row, uint32_t turn) {
  const ernn_context *run = cell->run;
  const uint32_t *arguments = run->op->arguments;
  ernn_cell_lane *lane = cell->lanes;
  uint32_t is_lstm = run->op->kind == ERNN_OP_LSTM, constant = arguments[ERNN_RNN_RECURRENT];
  ernn_product recurrent = ernn_product_of(run->model, constant);
  int has_kernel = is_lstm ? run->kernels->u8_dynamic_lstm != NULL : run->kernels->u8_dynamic_gru != NULL;
  if (!has_kernel || cell->count > 1 || !ernn_takes_fed(run, constant)) return 0;
  if (recurrent.is_nibbles || recurrent.tiles != 3u + is_lstm) return 0;
  float *h = as_f32(lane->h), scale = 1.0f / ERNN_STATE_STEPS;
  uint32_t half = lane->is_fed & SECOND;
  uint8_t *fed = half_of(cell, cell->reset, half), *next = half_of(cell, cell->reset, half ^ SECOND);
  if (!(lane->is_fed & 1u)) scale = ernn_feed(run, h, cell->units, fed);
  ernn_scaled x = {as_f32(cell->projected) + (size_t)row * cell->columns, vector_of(run, ERNN_RNN_BIAS),
                   as_f32(cell->quantized)[row]};
  ernn_scaled r = {NULL, vector_of(run, ERNN_RNN_RECURRENT_BIAS), scale};
  uint32_t beyond =
      is_lstm ? run->kernels->u8_dynamic_lstm(&recurrent, &x, &r, fed, h, as_f32(lane->c), next, turn)
              : run->kernels->u8_dynamic_gru(&recurrent, &x, &r, fed, h, next, turn);
  lane->is_fed = (half ^ SECOND) | (beyond == 0);
  return 1;
}

#else
typedef int ernn_no_whole_steps; /* C99 wants something in every file */
#endif
