/* ernn_steps.h: how many steps a layer writes, and whether it can run on part of a sequence. */
#ifndef ERNN_STEPS_H
#define ERNN_STEPS_H

#include "ernn_internal.h"

/* Sets the steps of the edges that the layer writes, from those of the edges that it reads.
 * steps[edge count of the model].
 *
 * at_capacity: the steps read are the most there can be; rounds up, and accepts a layer that fits
 * only some sequences. */
ernn_status ernn_infer_steps(const ernn_model *model, const ernn_op *op, uint32_t *steps,
                             int at_capacity);

/* Whether the layer works on a part of a sequence at a time, in order. */
int ernn_op_is_causal(const ernn_model *model, const ernn_op *op);

/* Zero rows that a window is padded with: returns those in front, `total` counts all. */
uint32_t ernn_padding_left(uint32_t steps, uint32_t span, uint32_t stride, uint32_t padding,
                           uint32_t *total);

/* First step and number of steps of SLICE_STEPS. */
uint32_t ernn_slice_steps(const ernn_op *op, uint32_t steps, uint32_t *first);

#endif
