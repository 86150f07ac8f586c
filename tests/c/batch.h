/* batch.h: runs many models on their inputs and keeps a checksum of each output.
 *
 * One file, so that an emulator starts once.  All numbers are little-endian u32:
 *
 *     models
 *     for each, at a multiple of 64:
 *       model_bytes, cases, bytes of the cases; then at the next multiple of 64 the model, and at
 *       the next again the cases: for each input its number of steps (0: a state that begins at
 *       zero) and its rows, padded to 4
 *
 * The result has for each model: ernn_open's status, and for each case and output a CRC-32 of the
 * number of rows (u32) and the rows.  A case that fails gives its status instead. */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "ernn.h"

/* Memory for one run, aligned to 64; null where there is no more.  Provided by the program. */
void *batch_allocate(size_t size);
void batch_free(void *memory);

/* Calls of ernn_run; of ernn_step for the models that can stream; or of ernn_run_batch. */
typedef enum batch_mode { BATCH_RUN, BATCH_STEP, BATCH_TOGETHER } batch_mode;

/* Runs all models of `file` (aligned to 64) on `isa`.  Returns the numbers written to `result`, at
 * most `room`; 0 when the file is not a batch or there is no room. */
size_t batch_run(const uint8_t *file, size_t size, ernn_isa isa, batch_mode mode, uint32_t *result,
                 size_t room);

#endif
