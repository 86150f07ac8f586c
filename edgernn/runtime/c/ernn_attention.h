/* ernn_attention.h: layers that multiply two tensors of the model. */
#ifndef ERNN_ATTENTION_H
#define ERNN_ATTENTION_H

#include "ernn_layers.h"

/* Whether queries, keys, values and masks are equally long where they have to be. */
ernn_status ernn_attention_steps(const ernn_op *op, const uint32_t *steps);

size_t ernn_attention_scratch(const ernn_op *op, const uint32_t *steps);
void ernn_run_attention(const ernn_context *run);

/* Steps of the result, in `out`; ERNN_SHAPE where the axes that are summed over are unlike. */
ernn_status ernn_dot_steps(const ernn_op *op, const ernn_edge *edges, const uint32_t *steps,
                           int at_capacity, uint64_t *out);

void ernn_run_dot(const ernn_context *run);

#endif
